import { OpenAPIHono } from '@hono/zod-openapi';
import { readStateSchema } from '../../protocol/api.ts';
import { apiRoute, channelParams, json, jsonBody } from '../api-route.ts';
import type { App, AppEnv } from '../env.ts';
import { unwrap } from '../problems.ts';
import { callInbox } from '../room.ts';

const raise = apiRoute({ scope: 'messages:read', limit: 'read' }, '/v1/channels/{id}/read-state', {
  method: 'put',
  summary: 'Mark as read up to a pos; the marker never goes down',
  request: { params: channelParams, ...jsonBody(readStateSchema) },
  responses: { 200: json(readStateSchema, 'Where the marker stands now') },
});

export function readStateRoutes(): App {
  const app = new OpenAPIHono<AppEnv>();
  app.openapi(raise, async (c) => {
    const { id } = c.req.valid('param');
    const { read_pos } = c.req.valid('json');
    const { actor } = c.get('identity');
    return c.json(unwrap(await callInbox(c.env, actor.user_id, (inbox) => inbox.read(actor, id, read_pos))), 200);
  });
  return app;
}
