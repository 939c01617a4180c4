import { OpenAPIHono, type z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { markUnreadBodySchema, readStateSchema } from '../../protocol/api.ts';
import type { Outcome } from '../../protocol/errors.ts';
import { apiRoute, channelParams, json, jsonBody, keyHeader } from '../api-route.ts';
import { keepAnswerOf } from '../directory.ts';
import type { App, AppEnv } from '../env.ts';
import { unwrap } from '../problems.ts';
import { callInbox } from '../room.ts';
import { tracedActor } from '../traceparent.ts';

const raise = apiRoute({ scope: 'messages:read', limit: 'read' }, '/v1/channels/{id}/read-state', {
  method: 'put',
  summary: 'Mark as read up to a pos, and to the newest message at most; the marker never goes down by this. With a generation: unless something was marked as unread since',
  request: { headers: keyHeader, params: channelParams, ...jsonBody(readStateSchema, { read_pos: 17 }) },
  responses: { 200: json(readStateSchema, 'Where the marker stands now', { read_pos: 17 }) },
});

const lower = apiRoute({ scope: 'messages:read', limit: 'read' }, '/v1/channels/{id}/mark-unread', {
  method: 'post',
  summary: 'Mark as unread from the message at a pos on, on all devices; where it is unread nothing changes',
  request: { headers: keyHeader, params: channelParams, ...jsonBody(markUnreadBodySchema, { pos: 12 }) },
  responses: { 200: json(readStateSchema, 'Where the marker stands now', { read_pos: 11, generation: 1 }) },
});

export function readStateRoutes(): App {
  const app = new OpenAPIHono<AppEnv>();

  app.openapi(raise, async (c) => {
    const { id } = c.req.valid('param');
    const { read_pos, generation } = c.req.valid('json');
    const actor = tracedActor(c);
    return c.json(await keep(c, () => callInbox(c.env, actor.user_id, (inbox) => inbox.read(actor, id, read_pos, generation))), 200);
  });

  app.openapi(lower, async (c) => {
    const { id } = c.req.valid('param');
    const { pos, generation } = c.req.valid('json');
    const actor = tracedActor(c);
    return c.json(await keep(c, () => callInbox(c.env, actor.user_id, (inbox) => inbox.markUnread(actor, id, pos, generation))), 200);
  });

  return app;
}

type ReadState = z.infer<typeof readStateSchema>;

async function keep(c: Context<AppEnv>, move: () => Promise<Outcome<ReadState>>): Promise<ReadState> {
  return (await keepAnswerOf(c, { body: readStateSchema, statuses: [200] }, async () => ({ status: 200, body: unwrap(await move()) }))).body;
}
