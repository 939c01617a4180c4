import { OpenAPIHono } from '@hono/zod-openapi';
import { markUnreadBodySchema, readStateSchema } from '../../protocol/api.ts';
import { apiRoute, channelParams, json, jsonBody, keyHeader } from '../api-route.ts';
import type { App, AppEnv } from '../env.ts';
import { unwrap } from '../problems.ts';
import { callInbox } from '../room.ts';

const raise = apiRoute({ scope: 'messages:read', limit: 'read' }, '/v1/channels/{id}/read-state', {
  method: 'put',
  summary: 'Mark as read up to a pos; the marker never goes down by this. With a generation: unless something was marked as unread since',
  request: { params: channelParams, ...jsonBody(readStateSchema, { read_pos: 17 }) },
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
    const { actor } = c.get('identity');
    return c.json(unwrap(await callInbox(c.env, actor.user_id, (inbox) => inbox.read(actor, id, read_pos, generation))), 200);
  });

  // Without a kept answer: repeated, it finds the message unread. One that may come late names the generation.
  app.openapi(lower, async (c) => {
    const { id } = c.req.valid('param');
    const { pos, generation } = c.req.valid('json');
    const { actor } = c.get('identity');
    return c.json(unwrap(await callInbox(c.env, actor.user_id, (inbox) => inbox.markUnread(actor, id, pos, generation))), 200);
  });

  return app;
}
