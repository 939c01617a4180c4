import { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { refuseDueAuthor } from '../../db/queries/scheduled-sending.ts';
import { ERRORS, type Problem } from '../../protocol/errors.ts';
import type { SendCommand } from '../../protocol/frames.ts';
import { type DueAnswer, type DueMessage, dueMessageSchema, type ScheduleFailure } from '../../protocol/scheduled-messages.ts';
import type { App, AppEnv } from '../env.ts';
import { refuseOthers } from '../fleet-token.ts';
import { noteInInboxOf } from '../inbox-notes.ts';
import { readBody } from '../json.ts';
import { inTransaction } from '../postgres.ts';
import { ProblemError } from '../problems.ts';
import { callRoom } from '../room.ts';

/** For how long the room takes the author's word as given by this call, in milliseconds: longer than one may take. */
const WORD_MS = 60_000;

/** What the consumer fleet calls for each scheduled message that is due, by the secret `FLEET_TOKEN`. Repeating it sends nothing again (G2). */
export function internalScheduledRoutes(): App {
  const app = new OpenAPIHono<AppEnv>();
  app.post('/internal/scheduled-messages', async (c) => {
    refuseOthers(c);
    return c.json(await send(c, await readBody(c, dueMessageSchema)), 200);
  });
  return app;
}

async function send(c: Context<AppEnv>, due: DueMessage): Promise<DueAnswer> {
  try {
    return await inTransaction(c, async (tx): Promise<DueAnswer> => {
      const failure = await refuseDueAuthor(tx, due.author_id, due.channel_id);
      return failure === null ? await execute(c, due) : await refusal(c, due, failure);
    });
  } catch (error) {
    if (error instanceof ProblemError) return { status: 'unavailable' };
    throw error;
  }
}

async function execute(c: Context<AppEnv>, due: DueMessage): Promise<DueAnswer> {
  const { id, author_id, channel_id, thread_id, text, file_ids } = due;
  const actor = { user_id: author_id, credential_id: id, expires_at: Date.now() + WORD_MS };
  const command: SendCommand = { type: 'send', client_msg_id: id, text, ...(thread_id !== null && { thread_id }), ...(file_ids.length > 0 && { file_ids }) };
  const outcome = await callRoom(c.env, channel_id, (room) => room.execute(channel_id, actor, command));
  if ('ok' in outcome) return { status: 'sent', message_id: outcome.ok.message_id };
  const { problem } = outcome;
  if (problem.code === 'room_backlogged') return { status: 'backlogged' };
  if (ERRORS[problem.code].retry || problem.code === 'unauthenticated') return { status: problem.code === 'unavailable' ? 'unavailable' : 'failed' };
  return await refusal(c, due, failureOf(problem, due));
}

/** A thread's root that the room does not know is no different from a channel that the author may not know of; but they are its member. */
function failureOf({ code }: Problem, { thread_id }: DueMessage): ScheduleFailure {
  if (code === 'channel_archived' || code === 'not_a_member') return code;
  if (code === 'not_found') return thread_id === null ? 'not_a_member' : 'thread_gone';
  return code === 'conflict' && thread_id !== null ? 'thread_gone' : 'refused';
}

/** Unless an earlier call has sent it: that one's answer may have been lost, and what would refuse it now was not so then. */
async function refusal(c: Context<AppEnv>, { id, author_id, channel_id }: DueMessage, failure: ScheduleFailure): Promise<DueAnswer> {
  const message_id = await callRoom(c.env, channel_id, (room) => room.findSent(channel_id, author_id, id));
  if (message_id !== null) return { status: 'sent', message_id };
  noteInInboxOf(c, author_id, { type: 'scheduled_message.failed', channel_id, scheduled_message_id: id, failure }, 1);
  return { status: 'refused', failure };
}
