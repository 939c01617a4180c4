import { OpenAPIHono } from '@hono/zod-openapi';
import { changeUserSettings, findUserSettings } from '../../db/queries/user-settings.ts';
import { type UserSettings, userSettingsBodySchema, userSettingsSchema } from '../../protocol/settings.ts';
import { apiRoute, json, jsonBody, problemAnswer } from '../api-route.ts';
import { answered, writeDirectory } from '../directory.ts';
import type { App, AppEnv } from '../env.ts';
import { withPostgres } from '../postgres.ts';
import { etagOf, expectedVersion, settingsHeaders } from '../preconditions.ts';
import { unwrap } from '../problems.ts';

const PATH = '/v1/me/settings';
const EXAMPLE: UserSettings = { theme: 'dark', time_format: '24h', version: 2 };

const read = apiRoute({ scope: 'channels:read', limit: 'read' }, PATH, {
  method: 'get',
  summary: 'How the caller wants Colink to look, on all devices',
  responses: { 200: json(userSettingsSchema, 'The settings, with their version as ETag', EXAMPLE) },
});

const change = apiRoute({ scope: 'channels:write', limit: 'send' }, PATH, {
  method: 'patch',
  summary: 'Change how the caller wants Colink to look; what is absent stays',
  request: { headers: settingsHeaders, ...jsonBody(userSettingsBodySchema, { theme: 'dark' }) },
  responses: {
    200: json(userSettingsSchema, 'The settings, with their version as ETag', EXAMPLE),
    412: problemAnswer('precondition_failed'),
    428: problemAnswer('precondition_required'),
  },
});

export function settingsRoutes(): App {
  const app = new OpenAPIHono<AppEnv>();

  app.openapi(read, async (c) => {
    const settings = unwrap(await withPostgres(c, (db) => findUserSettings(db, c.get('identity').actor.credential_id)));
    return c.json(settings, 200, { ETag: etagOf(settings) });
  });

  app.openapi(change, async (c) => {
    const { credential_id: credentialId, user_id: userId } = c.get('identity').actor;
    const [body, expected] = [c.req.valid('json'), expectedVersion(c.req.valid('header'))];
    const answer = await writeDirectory(c, { body: userSettingsSchema, statuses: [200] }, async (tx) => answered(200, await changeUserSettings(tx, { credentialId, userId, expected }, body)));
    return c.json(answer.body, 200, { ETag: etagOf(answer.body) });
  });

  return app;
}
