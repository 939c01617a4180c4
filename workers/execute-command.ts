import type { Context } from 'hono';
import { type Command, type CommandResult, commandResultSchema } from '../protocol/frames.ts';
import type { AppEnv } from './env.ts';
import { keepAnswerOf } from './directory.ts';
import { unwrap } from './problems.ts';
import type { RoomCalls } from './room-calls.ts';
import { callRoom } from './room.ts';
import { tracedActor } from './traceparent.ts';

/** Has a room execute a command of the caller; throws its refusal. */
export type Execute = (c: Context<AppEnv>, channelId: string, command: Command) => Promise<CommandResult>;

export const executeBy = (calls: RoomCalls): Execute => async (c, channelId, command) =>
  unwrap(
    await calls.execute(channelId, { actor: tracedActor(c), command }, {
      call: (commands) => callRoom(c.env, channelId, (room) => room.executeEach(channelId, commands)),
      callAlone: ({ actor }) => callRoom(c.env, channelId, (room) => room.execute(channelId, actor, command)),
      keep: (work) => c.executionCtx.waitUntil(work),
    }),
  );

const RESULT = { body: commandResultSchema, statuses: [200] as const };

/** The same; repeated under its Idempotency-Key it is answered as it was, and does nothing, whatever has happened since. For all but what is sent, which rooms themselves know again. */
export async function executeOnce(c: Context<AppEnv>, execute: Execute, channelId: string, command: Command): Promise<CommandResult> {
  return (await keepAnswerOf(c, RESULT, async () => ({ status: 200, body: await execute(c, channelId, command) }))).body;
}
