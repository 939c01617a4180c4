import { OpenAPIHono, z } from '@hono/zod-openapi';
import { findPlace } from '../../db/queries/message-places.ts';
import { type MessagePlace, messagePlaceSchema } from '../../protocol/api.ts';
import { idSchema } from '../../protocol/primitives.ts';
import { apiRoute, json } from '../api-route.ts';
import type { App, AppEnv } from '../env.ts';
import { withPostgres } from '../postgres.ts';
import { unwrap } from '../problems.ts';

const EXAMPLE: MessagePlace = {
  message_id: '019abcde-0000-7000-8000-0000000000f2', channel_id: '019abcde-0000-7000-8000-0000000000c1', pos: null,
  thread_id: '019abcde-0000-7000-8000-0000000000f1', tpos: 1, history_pos: 1,
  path: '/channels/019abcde-0000-7000-8000-0000000000c1/messages/019abcde-0000-7000-8000-0000000000f2',
};

const read = apiRoute({ scope: 'messages:read', limit: 'read' }, '/v1/messages/{message_id}', {
  method: 'get',
  summary: 'Where a message is that the caller may read, by its id alone: its channel, its place there, and the address of it on the page. 404 for all others',
  request: { params: z.object({ message_id: idSchema }) },
  responses: { 200: json(messagePlaceSchema, 'The place', EXAMPLE) },
});

export function messagePlaceRoutes(): App {
  const app = new OpenAPIHono<AppEnv>();
  app.openapi(read, async (c) => {
    const place = unwrap(await withPostgres(c, (db) => findPlace(db, c.get('identity').actor.credential_id, c.req.valid('param').message_id)));
    return c.json({ ...place, path: `/channels/${place.channel_id}/messages/${place.message_id}` }, 200);
  });
  return app;
}
