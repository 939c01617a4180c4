import { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { findOwnFiles } from '../../db/queries/files.ts';
import { batchBodySchema, batchResultSchema, editBodySchema, sendBodySchema } from '../../protocol/api.ts';
import { commandResultSchema } from '../../protocol/frames.ts';
import { clientMsgIdSchema, emojiSchema, idSchema } from '../../protocol/primitives.ts';
import { apiRoute, channelParams, json, jsonBody, keyHeader, messageParams, problemAnswer } from '../api-route.ts';
import { answerJson } from '../answer.ts';
import { keepAnswerOf } from '../directory.ts';
import type { App, AppEnv } from '../env.ts';
import { type Execute, executeBy, executeOnce } from '../execute-command.ts';
import { idempotencyKey } from '../idempotency-key.ts';
import { readBody } from '../json.ts';
import { withPostgres } from '../postgres.ts';
import { ProblemError, unwrap } from '../problems.ts';
import { callRoom } from '../room.ts';
import type { Services } from '../services.ts';
import { tracedActor } from '../traceparent.ts';

const WRITE = { scope: 'messages:write', limit: 'send' } as const;
const done = { 200: json(commandResultSchema, 'What it did'), 409: problemAnswer('channel_archived') };
const BATCH = { body: batchResultSchema, statuses: [201] as const };
const reactionParams = messageParams.extend({ emoji: emojiSchema });

const send = apiRoute({ ...WRITE, readsBody: true }, '/v1/channels/{id}/messages', {
  method: 'post',
  summary: 'Send a message. Repeating it with the same client_msg_id (or Idempotency-Key) sends nothing again',
  request: { headers: keyHeader, params: channelParams, ...jsonBody(sendBodySchema) },
  responses: { 201: json(commandResultSchema, 'The message is kept'), 409: problemAnswer('channel_archived') },
});

const sendBatch = apiRoute({ scope: 'messages:import', limit: null }, '/v1/channels/{id}/message-batches', {
  method: 'post',
  summary: 'Import messages: all or none, in this order',
  request: { headers: keyHeader, params: channelParams, ...jsonBody(batchBodySchema) },
  responses: { 201: json(batchResultSchema, 'The messages are kept'), 409: problemAnswer('channel_archived') },
});

const edit = apiRoute(WRITE, '/v1/channels/{id}/messages/{message_id}', {
  method: 'patch',
  summary: 'Change the text of an own message',
  request: { headers: keyHeader, params: messageParams, ...jsonBody(editBodySchema) },
  responses: done,
});

const remove = apiRoute(WRITE, '/v1/channels/{id}/messages/{message_id}', {
  method: 'delete',
  summary: 'Delete a message',
  request: { headers: keyHeader, params: messageParams },
  responses: done,
});

const react = apiRoute(WRITE, '/v1/channels/{id}/messages/{message_id}/reactions/{emoji}', {
  method: 'put',
  summary: 'React to a message',
  request: { headers: keyHeader, params: reactionParams },
  responses: done,
});

const unreact = apiRoute(WRITE, '/v1/channels/{id}/messages/{message_id}/reactions/{emoji}', {
  method: 'delete',
  summary: 'Take a reaction back',
  request: { headers: keyHeader, params: reactionParams },
  responses: done,
});

function channelIdOf(c: Context<AppEnv>): string {
  const id = c.req.param('id');
  if (id === undefined || !idSchema.safeParse(id).success) throw new ProblemError({ code: 'not_found' });
  return id;
}

/** The message's own id, else the request's key. */
function clientMsgId(c: Context<AppEnv>, given: string | undefined): string {
  const id = clientMsgIdSchema.safeParse(given ?? idempotencyKey(c.req.raw.headers) ?? undefined);
  if (id.success) return id.data;
  throw new ProblemError({ code: 'invalid', errors: [{ pointer: '/client_msg_id', detail: 'is required, here or as Idempotency-Key: 1 to 64 visible ASCII characters' }] });
}

/** A room knows no files: what is no file of the author's, in this channel, is refused here, and passed over where messages are read. */
async function refuseForeignFiles(c: Context<AppEnv>, channelId: string, fileIds: readonly string[]): Promise<void> {
  const own = await withPostgres(c, (db) => findOwnFiles(db, c.get('identity').actor.credential_id, channelId, fileIds));
  const errors = fileIds.flatMap((id, index) => (own.has(id) ? [] : [{ pointer: `/file_ids/${index}`, detail: 'must be a file of your own in this channel' }]));
  if (errors.length > 0) throw new ProblemError({ code: 'invalid', errors });
}

/** The route that decides how much a Worker can take: a shared call to the room, no Postgres where the caller is known, validated without the framework. */
async function handleSend(c: Context<AppEnv>, execute: Execute): Promise<Response> {
  const channelId = channelIdOf(c);
  const { client_msg_id, ...message } = await readBody(c, sendBodySchema);
  if (message.file_ids !== undefined) await refuseForeignFiles(c, channelId, message.file_ids);
  const result = await execute(c, channelId, { type: 'send', client_msg_id: clientMsgId(c, client_msg_id), ...message });
  const location = { Location: `/v1/channels/${channelId}/messages/${result.message_id}` };
  // A repetition is answered as the first request was.
  return answerJson(c, 201, { ...result, changed: true }, result.changed ? location : { ...location, 'Idempotency-Replayed': 'true' });
}

export function messageRoutes({ roomCalls }: Pick<Services, 'roomCalls'>): App {
  const app = new OpenAPIHono<AppEnv>();
  const execute = executeBy(roomCalls);

  const { middleware, ...description } = send;
  app.openAPIRegistry.registerPath(description);
  app.on('POST', [send.getRoutingPath()], ...middleware, (c) => handleSend(c, execute));

  app.openapi(sendBatch, async (c) => {
    const { id } = c.req.valid('param');
    const commands = c.req.valid('json').messages.map((message) => ({ type: 'send' as const, ...message }));
    const actor = tracedActor(c);
    const { body } = await keepAnswerOf(c, BATCH, async () => ({ status: 201, body: { data: unwrap(await callRoom(c.env, id, (room) => room.executeBatch(id, actor, commands))) } }));
    return c.json(body, 201);
  });

  app.openapi(edit, async (c) => {
    const { id, message_id } = c.req.valid('param');
    return c.json(await executeOnce(c, execute, id, { type: 'edit', message_id, text: c.req.valid('json').text }), 200);
  });

  app.openapi(remove, async (c) => {
    const { id, message_id } = c.req.valid('param');
    return c.json(await executeOnce(c, execute, id, { type: 'delete', message_id }), 200);
  });

  app.openapi(react, async (c) => {
    const { id, message_id, emoji } = c.req.valid('param');
    return c.json(await executeOnce(c, execute, id, { type: 'react', message_id, emoji }), 200);
  });

  app.openapi(unreact, async (c) => {
    const { id, message_id, emoji } = c.req.valid('param');
    return c.json(await executeOnce(c, execute, id, { type: 'unreact', message_id, emoji }), 200);
  });

  return app;
}
