import type { Env } from './env.ts';
import { callRoom } from './room.ts';
import { settleAll } from './settle-all.ts';

/** Objects told at a time. */
const TELLING = 50;

export interface Announced {
  readonly objects: number;
  readonly sockets: number;
  readonly unreached: number;
}

/**
 * Asks the sockets of all rooms and inboxes that have any, as the metrics hub knows them, to come back within that time. Who opened one in the last seconds
 * may be missed, and then sees the restart itself.
 */
export async function announce(env: Env, withinMs: number): Promise<Announced> {
  const { channel_ids, user_ids } = await env.METRICS_HUB.getByName('hub').listening();
  const told = [
    ...(await settleAll(channel_ids, TELLING, (id) => callRoom(env, id, (room) => room.prepareRestart(withinMs)))),
    ...(await settleAll(user_ids, TELLING, (id) => env.INBOXES.getByName(id).prepareRestart(withinMs))),
  ];
  const counts = told.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  return { objects: counts.length, sockets: counts.reduce((sum, count) => sum + count, 0), unreached: told.length - counts.length };
}
