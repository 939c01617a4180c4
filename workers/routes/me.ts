import { OpenAPIHono } from '@hono/zod-openapi';
import { listMyChannels } from '../../db/queries/channels.ts';
import { findMyInbox } from '../../db/queries/inbox-cursor.ts';
import { findMe, listCoMembers } from '../../db/queries/users.ts';
import { bootstrapSchema, userSchema } from '../../protocol/api.ts';
import { apiRoute, json } from '../api-route.ts';
import type { App, AppEnv } from '../env.ts';
import { withPostgres } from '../postgres.ts';
import { unwrap } from '../problems.ts';

/** Most channels and users of one bootstrap; the rest is found by the listings. */
const MAX_CHANNELS = 1_000;
const MAX_USERS = 1_000;

const me = apiRoute({ scope: 'channels:read', limit: 'read' }, '/v1/me', {
  method: 'get',
  summary: 'The caller',
  responses: { 200: json(userSchema, 'The caller') },
});

const bootstrap = apiRoute({ scope: 'channels:read', limit: 'read' }, '/v1/bootstrap', {
  method: 'get',
  summary: 'What a first paint needs, in one call',
  responses: { 200: json(bootstrapSchema, 'The caller, their channels with cursors to subscribe from, and whom they share them with') },
});

export function meRoutes(): App {
  const app = new OpenAPIHono<AppEnv>();

  app.openapi(me, async (c) => c.json(unwrap(await withPostgres(c, (db) => findMe(db, c.get('identity').actor.credential_id))), 200));

  app.openapi(bootstrap, async (c) => {
    const { credential_id } = c.get('identity').actor;
    const body = await withPostgres(c, async (db) => ({
      // Before the rest: what the inbox drains meanwhile is in the rest already, and comes once more as an event.
      inbox: await findMyInbox(db, credential_id),
      me: unwrap(await findMe(db, credential_id)),
      channels: await listMyChannels(db, credential_id, MAX_CHANNELS),
      users: await listCoMembers(db, credential_id, MAX_USERS),
    }));
    return c.json(body, 200);
  });

  return app;
}
