import { timeout, TimeoutStrategy } from 'cockatiel';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { ScanBacklog } from '../../db/queries/file-scans.ts';
import type { BreakerState } from './breaker.ts';
import type { ScanOutcome } from './scan.ts';

const patience = timeout(3_000, TimeoutStrategy.Aggressive);
const STATES: readonly BreakerState[] = ['closed', 'half_open', 'open'];

export interface ScannerMetrics {
  scanned(outcome: ScanOutcome, seconds: number): void;
  breaker(state: BreakerState): void;
}

/** What the scanner shows, in the fleet's registry. What cannot be asked for in time is left out of that scrape. */
export function scannerMetrics(registry: Registry, askBacklog: () => Promise<ScanBacklog>): ScannerMetrics {
  const registers = [registry];
  const scans = new Counter({ name: 'colink_file_scans_total', help: 'Tries to scan a file, by what became of them', labelNames: ['outcome'], registers });
  const seconds = new Histogram({
    name: 'colink_file_scan_seconds', help: 'Time from the claim of a file to its verdict, thumbnails included', buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 180], registers,
  });
  const breaker = new Gauge({ name: 'colink_clamd_breaker_state', help: '1 at the state of the breaker before clamd', labelNames: ['state'], registers });
  const set = (now: BreakerState): void => STATES.forEach((state) => breaker.set({ state }, state === now ? 1 : 0));
  set('closed');
  watchBacklog(registers, askBacklog);
  return {
    scanned(outcome, took) {
      scans.inc({ outcome });
      if (outcome === 'clean' || outcome === 'infected') seconds.observe(took);
    },
    breaker: set,
  };
}

/** The backlog is read once a scrape, for all of its gauges. */
function watchBacklog(registers: Registry[], ask: () => Promise<ScanBacklog>): void {
  let shared: Promise<ScanBacklog> | null = null;
  const once = (): Promise<ScanBacklog> => (shared ??= patience.execute(ask).finally(() => (shared = null)));
  for (const [name, help, valueOf] of BACKLOG) {
    const gauge: Gauge = new Gauge({
      name, help, registers,
      collect: async () => {
        gauge.remove();
        await once().then((backlog) => gauge.set(valueOf(backlog)), () => {});
      },
    });
  }
}

const BACKLOG: readonly (readonly [name: string, help: string, valueOf: (backlog: ScanBacklog) => number])[] = [
  ['colink_file_scans_waiting', 'Files that wait for their scan, or are being scanned', ({ waiting }) => waiting],
  ['colink_file_scans_refused', 'Files that could not be scanned and are not tried again', ({ refused }) => refused],
  ['colink_file_scan_oldest_waiting_seconds', 'How long the file has waited that waits longest for its scan', ({ oldestSeconds }) => oldestSeconds],
];
