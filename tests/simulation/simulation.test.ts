import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { simulate } from './simulate.ts';
import type { Failure, Share } from './worker.ts';

/** Two minutes of both cores in CI; a developer's machine has other work. */
const SEEDS = process.env['CI'] === 'true' ? 10_000 : 1_000;
const WITHIN_MS = 120_000;

async function run(share: Share): Promise<Failure | null> {
  const worker = new Worker(new URL('worker.ts', import.meta.url), { workerData: share });
  const [failure] = (await once(worker, 'message')) as [Failure | null];
  await worker.terminate();
  return failure;
}

it(`G1 to G8 hold in a room, its nodes and its members' inboxes, with devices and faults of every kind, for ${SEEDS} seeds`, { timeout: 4 * WITHIN_MS }, async () => {
  const threads = Math.min(8, availableParallelism());
  const shares = Array.from({ length: threads }, (_, index) => ({ first: index + 1, last: SEEDS, step: threads }));
  const failures = (await Promise.all(shares.map(run))).filter((failure) => failure !== null);
  for (const { seed } of failures) console.error(`npm run simulate -- --seed ${seed} --trace`);
  expect(failures).toEqual([]);
});

it('repeats a seed to the letter', async () => {
  const traces: string[][] = [[], []];
  for (const trace of traces) await simulate(7, { print: (line) => void trace.push(line) });
  expect(traces[0]?.length).toBeGreaterThan(50);
  expect(traces[1]).toEqual(traces[0]);
});
