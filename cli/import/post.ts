import { setTimeout as sleep } from 'node:timers/promises';
import { MAX_BATCH } from '../../protocol/limits.ts';
import type { ImportApi } from './api.ts';
import { inBatches, type Batch } from './batches.ts';
import type { IrcMessage } from './irc-file.ts';

export interface PostOptions {
  readonly api: Pick<ImportApi, 'postBatch'>;
  readonly identity: string;
  readonly channelId: string;
  readonly messages: AsyncIterable<IrcMessage>;
  /** Messages a second; `Infinity` for as fast as the room takes them. */
  readonly rate: number;
  /** Asked between batches, and ends the waits of the pace. */
  readonly signal: AbortSignal;
  /** Told after each batch that is acknowledged. */
  readonly onBatch: (batch: Batch, added: number) => Promise<void>;
}

/** Posts in order, one batch in flight. `finished: false`: it was interrupted after a whole batch. */
export async function postMessages(options: PostOptions): Promise<{ posted: number; added: number; finished: boolean }> {
  const { api, identity, channelId, messages, rate, signal, onBatch } = options;
  const size = Math.max(1, Math.min(MAX_BATCH, Math.floor(rate)));
  const startedAt = performance.now();
  let [posted, added] = [0, 0];
  for await (const batch of inBatches(identity, messages, size)) {
    const results = signal.aborted ? null : await unlessAborted(signal, api.postBatch(channelId, batch.messages));
    if (results === null) return { posted, added, finished: false };
    const changed = results.filter((result) => result.changed).length;
    [posted, added] = [posted + batch.messages.length, added + changed];
    await onBatch(batch, changed);
    await pause(startedAt + (posted * 1_000) / rate - performance.now(), signal);
  }
  return { posted, added, finished: true };
}

/** Null where the wait between two attempts was cut short. */
async function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    if (signal.aborted) return null;
    throw error;
  }
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  if (milliseconds > 1) await sleep(milliseconds, undefined, { signal }).catch(() => {});
}
