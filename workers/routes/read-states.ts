import { OpenAPIHono } from '@hono/zod-openapi';
import { raiseReadPos } from '../../db/queries/read-states.ts';
import { readStateSchema } from '../../protocol/api.ts';
import { apiRoute, channelParams, json, jsonBody } from '../api-route.ts';
import type { App, AppEnv } from '../env.ts';
import { withPostgres } from '../postgres.ts';
import { unwrap } from '../problems.ts';

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
    const raised = await withPostgres(c, (db) => raiseReadPos(db, c.get('identity').actor.credential_id, id, read_pos));
    return c.json({ read_pos: unwrap(raised) }, 200);
  });
  return app;
}
