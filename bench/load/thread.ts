import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { runLoad, type LoadResult, type LoadSpec } from './run.ts';

/** Runs a round in a thread of its own, so that what samples beside it does not slow it. */
export function loadInThread(spec: LoadSpec): Promise<LoadResult> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: spec });
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`the loader ended early (${code})`)));
  });
}

if (!isMainThread && parentPort) {
  const port = parentPort;
  const spec: LoadSpec = workerData;
  const result = await runLoad(spec);
  port.postMessage(result, [result.ackedAt.buffer, result.seqs.buffer, result.latencyMs.buffer] as ArrayBuffer[]);
}
