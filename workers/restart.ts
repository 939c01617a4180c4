import type { RestartAnnouncement } from '../protocol/api.ts';
import type { Env } from './env.ts';
import { callInbox, callRoom } from './room.ts';
import { settleAll } from './settle-all.ts';

/** Objects of one request. Each is a subrequest, of which the platform allows 1,000 to 10,000 (read 2026-11-26; 50 without a paid plan). */
const PAGE = 200;
/** Objects told at a time. */
const TELLING = 50;

/**
 * Asks the sockets of some rooms and inboxes that have any, as the metrics hub knows them, to come back within that time; `cursor` null: of the first ones. Who
 * opened one in the last seconds may be missed, and then sees the restart itself.
 */
export async function announce(env: Env, withinMs: number, cursor: string | null, most: number = PAGE): Promise<RestartAnnouncement> {
  const { channel_ids, user_ids, next } = await env.METRICS_HUB.getByName('hub').listening(cursor, most);
  const told = [
    ...(await settleAll(channel_ids, TELLING, (id) => callRoom(env, id, (room) => room.prepareRestart(withinMs)))),
    ...(await settleAll(user_ids, TELLING, (id) => callInbox(env, id, (inbox) => inbox.prepareRestart(withinMs)))),
  ];
  const counts = told.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  return { objects: counts.length, sockets: counts.reduce((sum, count) => sum + count, 0), unreached: told.length - counts.length, next_cursor: next };
}
