import { failureFields } from '../runtime/classify.ts';
import { Poller } from '../runtime/poller.ts';
import type { Service } from '../runtime/service.ts';
import { scanNext, type ScanPorts } from './scan.ts';

/** A scan that ends within so long of a drain still does; the others are given back. Milliseconds. */
const GRACE_MS = 5_000;
const IDLE = { first: 250, most: 1_000 };
const FAILURE = { first: 500, most: 10_000 };

/** Scans what waits, `atOnce` files at a time. Any number of processes may do so. */
export function createScanner(ports: ScanPorts, atOnce: number): Service {
  const ending = new AbortController();
  const pollers = Array.from({ length: atOnce }, () =>
    new Poller({
      name: 'file-scans',
      idle: IDLE,
      failure: FAILURE,
      onError: (error) => ports.log.warn(failureFields(error), 'scans wait'),
      step: () => scanNext(ports, ending.signal),
    }),
  );
  return {
    name: 'file-scans',
    run: async () => {
      await Promise.all(pollers.map((poller) => poller.run()));
    },
    drain: async () => {
      const timer = setTimeout(() => ending.abort(), GRACE_MS);
      await Promise.all(pollers.map((poller) => poller.drain())).finally(() => clearTimeout(timer));
    },
    stop: async () => {
      ending.abort();
      await Promise.all(pollers.map((poller) => poller.stop()));
    },
  };
}
