import type { Context } from 'hono';
import type { Database } from '../db/client.ts';
import { findDrained } from '../db/queries/drained.ts';
import type { AppEnv } from './env.ts';
import { withPostgres } from './postgres.ts';
import { unwrap } from './problems.ts';
import { callRoom } from './room.ts';

/** How long a read waits for what was there when it came, and how often it looks, in milliseconds. */
const PATIENCE_MS = 3_000;
const PAUSE_MS = 25;

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, PAUSE_MS));

/**
 * Reads a channel's conversation once all that was there is in Postgres. Where Postgres lags more than three seconds, what it has is read. Throws where the caller may not read there.
 */
export async function readSettled<T>(c: Context<AppEnv>, channelId: string, work: (db: Database, credentialId: string) => Promise<T>): Promise<T> {
  const { actor } = c.get('identity');
  const head = unwrap(await callRoom(c.env, channelId, (room) => room.headFor(channelId, actor)));
  return withPostgres(c, async (db) => {
    const until = Date.now() + PATIENCE_MS;
    for (;;) {
      const drained = await findDrained(db, channelId);
      if (drained === null || drained.epoch !== head.epoch || drained.seq >= head.seq || Date.now() >= until) return work(db, actor.credential_id);
      await pause();
    }
  });
}
