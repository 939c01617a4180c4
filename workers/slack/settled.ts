import type { Database } from '../../db/client.ts';
import { findDrained } from '../../db/queries/drained.ts';
import { unwrap } from '../problems.ts';
import { callRoom } from '../room.ts';
import type { Call } from './method.ts';

/** How long a read waits for what was there when it came, and how often it looks, in milliseconds. */
const PATIENCE_MS = 3_000;
const PAUSE_MS = 25;

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, PAUSE_MS));

/**
 * Reads a channel's conversation once all that was there is in Postgres: whoever has sent a message finds it in what they read next, as in Slack; `/v1` tells how far an answer goes instead. Where
 * Postgres lags more than three seconds, what it has is read. Throws where the caller is no member.
 */
export async function readSettled<T>(call: Call, channelId: string, work: (db: Database, credentialId: string) => Promise<T>): Promise<T> {
  const { actor } = call.identity;
  const head = unwrap(await callRoom(call.c.env, channelId, (room) => room.headFor(channelId, actor)));
  return call.read(async (db, credentialId) => {
    const until = Date.now() + PATIENCE_MS;
    for (;;) {
      const drained = await findDrained(db, channelId);
      if (drained === null || drained.epoch !== head.epoch || drained.seq >= head.seq || Date.now() >= until) return work(db, credentialId);
      await pause();
    }
  });
}
