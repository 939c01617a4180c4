import type { Context } from 'hono';
import type { FoundMessage } from '../../durable-objects/channel-room/room-api.ts';
import type { AppEnv } from '../env.ts';
import { unwrap } from '../problems.ts';
import { callRoom } from '../room.ts';
import { parseTs } from './ts.ts';

/** The message of a channel that a `ts` names, whether or not Postgres has it yet; null: there is none. Throws where the caller may not read there. */
export async function findByTs(c: Context<AppEnv>, channelId: string, ts: string): Promise<FoundMessage | null> {
  const stamp = parseTs(ts);
  if (stamp === null) return null;
  return unwrap(await callRoom(c.env, channelId, (room) => room.findAt(channelId, c.get('identity').actor, stamp.ms, stamp.remainder)));
}
