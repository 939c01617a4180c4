import { OpenAPIHono } from '@hono/zod-openapi';
import { changeEmailSettings, findEmailSettings } from '../../db/queries/email-settings.ts';
import { emailSettingsBodySchema, emailSettingsSchema } from '../../protocol/email.ts';
import { apiRoute, json, jsonBody, problemAnswer } from '../api-route.ts';
import { answered, writeDirectory } from '../directory.ts';
import type { App, AppEnv } from '../env.ts';
import { withPostgres } from '../postgres.ts';
import { etagOf, expectedVersion, settingsHeaders } from '../preconditions.ts';
import { unwrap } from '../problems.ts';

const PATH = '/v1/me/email-settings';

const read = apiRoute({ scope: 'channels:read', limit: 'read' }, PATH, {
  method: 'get',
  summary: 'When the caller is mailed what is unread, and where to',
  responses: { 200: json(emailSettingsSchema, 'The settings, with their version as ETag') },
});

const change = apiRoute({ scope: 'channels:write', limit: 'send' }, PATH, {
  method: 'patch',
  summary: 'Change when the caller is mailed what is unread; what is absent stays. The address is the identity provider\'s',
  request: { headers: settingsHeaders, ...jsonBody(emailSettingsBodySchema) },
  responses: { 200: json(emailSettingsSchema, 'The settings, with their version as ETag'), 412: problemAnswer('precondition_failed'), 428: problemAnswer('precondition_required') },
});

export function emailSettingsRoutes(): App {
  const app = new OpenAPIHono<AppEnv>();

  app.openapi(read, async (c) => {
    const settings = unwrap(await withPostgres(c, (db) => findEmailSettings(db, c.get('identity').actor.credential_id)));
    return c.json(settings, 200, { ETag: etagOf(settings) });
  });

  app.openapi(change, async (c) => {
    const { credential_id: credentialId, user_id: userId } = c.get('identity').actor;
    const [body, expected] = [c.req.valid('json'), expectedVersion(c.req.valid('header'))];
    const answer = await writeDirectory(c, { body: emailSettingsSchema, statuses: [200] }, async (tx) => answered(200, await changeEmailSettings(tx, { credentialId, userId, expected }, body)));
    return c.json(answer.body, 200, { ETag: etagOf(answer.body) });
  });

  return app;
}
