import type { Registry } from 'prom-client';
import { countScans } from '../../db/queries/file-scans.ts';
import type { Service } from '../runtime/service.ts';
import type { WorkerAddress } from '../worker-calls.ts';
import { BREAKER, guardClamd } from './breaker.ts';
import { clamdAt } from './clamd.ts';
import type { ClamdAddress } from './clamd-session.ts';
import { workerFiles } from './file-store.ts';
import { scannerMetrics } from './metrics.ts';
import type { ScanPorts } from './scan.ts';
import { createScanner } from './scanner.ts';
import { createThumbnailer } from './thumbnailer.ts';

/** Files that a process scans at a time: clamd has ten threads by default (`MaxThreads`), and a queue. */
const AT_ONCE = 4;
/** Others take up a file so long after its process died. Milliseconds. */
const LEASE_MS = 30_000;
const TRY_MS = 600_000;
const RETRY = { first: 5_000, most: 600_000 };
const AWAY_MS = 1_000;

export interface ScannerParts extends Pick<ScanPorts, 'sql' | 'log'> {
  readonly clamd: ClamdAddress;
  readonly worker: WorkerAddress;
  readonly registry: Registry;
}

/** Scans what the group `file-scanner` has asked for. */
export function scannerService({ clamd, worker, sql, log, registry }: ScannerParts): Service {
  const metrics = scannerMetrics(registry, () => countScans(sql));
  const onState = (state: Parameters<typeof metrics.breaker>[0]): void => {
    metrics.breaker(state);
    log.warn({ state }, 'the breaker before clamd');
  };
  const ports: ScanPorts = {
    sql, log, store: workerFiles(worker), thumbnailer: createThumbnailer(), clamd: guardClamd(clamdAt(clamd), { ...BREAKER, onState }),
    leaseMs: LEASE_MS, tryMs: TRY_MS, retry: RETRY, awayMs: AWAY_MS, random: Math.random, onScanned: metrics.scanned,
  };
  return createScanner(ports, AT_ONCE);
}
