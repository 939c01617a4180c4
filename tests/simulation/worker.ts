import { parentPort, workerData } from 'node:worker_threads';
import { simulate } from './simulate.ts';

/** A share of the seeds, in a thread of its own. */
export interface Share {
  readonly first: number;
  readonly last: number;
  readonly step: number;
}

/** The first seed of a share that fails, and what did not hold. */
export interface Failure {
  readonly seed: number;
  readonly violations: readonly string[];
}

async function run({ first, last, step }: Share): Promise<Failure | null> {
  for (let seed = first; seed <= last; seed += step) {
    const violations = await simulate(seed);
    if (violations.length > 0) return { seed, violations: violations.map(({ message }) => message) };
  }
  return null;
}

parentPort?.postMessage(await run(workerData), []);
