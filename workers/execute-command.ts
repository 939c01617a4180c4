import type { Context } from 'hono';
import type { Command, CommandResult } from '../protocol/frames.ts';
import type { AppEnv } from './env.ts';
import { unwrap } from './problems.ts';
import type { RoomCalls } from './room-calls.ts';
import { callRoom } from './room.ts';

/** Has a room execute a command of the caller; throws its refusal. */
export type Execute = (c: Context<AppEnv>, channelId: string, command: Command) => Promise<CommandResult>;

export const executeBy = (calls: RoomCalls): Execute => async (c, channelId, command) =>
  unwrap(
    await calls.execute(channelId, { actor: c.get('identity').actor, command }, {
      call: (commands) => callRoom(c.env, channelId, (room) => room.executeEach(channelId, commands)),
      callAlone: ({ actor }) => callRoom(c.env, channelId, (room) => room.execute(channelId, actor, command)),
      keep: (work) => c.executionCtx.waitUntil(work),
    }),
  );
