import { OpenAPIHono } from '@hono/zod-openapi';
import { changeWorkspaceSettings, findWorkspaceSettings } from '../../db/queries/workspace-settings.ts';
import { type WorkspaceSettings, workspaceSettingsBodySchema, workspaceSettingsSchema } from '../../protocol/workspace.ts';
import { isAdmin } from '../admin.ts';
import { apiRoute, json, jsonBody, problemAnswer } from '../api-route.ts';
import { answered, writeDirectory } from '../directory.ts';
import type { App, AppEnv } from '../env.ts';
import { withPostgres } from '../postgres.ts';
import { etagOf, expectedVersion, settingsHeaders } from '../preconditions.ts';
import { unwrap } from '../problems.ts';

const PATH = '/v1/admin/settings';
const EXAMPLE: WorkspaceSettings = { edit_window_seconds: 900, version: 0 };

const read = apiRoute({ scope: 'admin', limit: 'read' }, PATH, {
  method: 'get',
  summary: 'The settings of the workspace, for administrators',
  responses: { 200: json(workspaceSettingsSchema, 'The settings, with their version as ETag', EXAMPLE) },
});

const change = apiRoute({ scope: 'admin', limit: 'send' }, PATH, {
  method: 'patch',
  summary: 'Change settings of the workspace, for administrators; what is absent stays. Channels go by the new ones within a minute',
  request: { headers: settingsHeaders, ...jsonBody(workspaceSettingsBodySchema, { edit_window_seconds: 3_600 }) },
  responses: {
    200: json(workspaceSettingsSchema, 'The settings, with their version as ETag', { edit_window_seconds: 3_600, version: 1 }),
    412: problemAnswer('precondition_failed'),
    428: problemAnswer('precondition_required'),
  },
});

export function workspaceSettingsRoutes(): App {
  const app = new OpenAPIHono<AppEnv>();

  app.openapi(read, async (c) => {
    const settings = await withPostgres(c, async (db) => {
      unwrap(await isAdmin(c, db));
      return await findWorkspaceSettings(db);
    });
    return c.json(settings, 200, { ETag: etagOf(settings) });
  });

  app.openapi(change, async (c) => {
    const [body, expected] = [c.req.valid('json'), expectedVersion(c.req.valid('header'))];
    const answer = await writeDirectory(c, { body: workspaceSettingsSchema, statuses: [200] }, async (tx) =>
      answered(200, await changeWorkspaceSettings(tx, c.get('identity').actor.credential_id, expected, body)),
    );
    return c.json(answer.body, 200, { ETag: etagOf(answer.body) });
  });

  return app;
}
