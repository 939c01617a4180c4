import { OpenAPIHono } from '@hono/zod-openapi';
import { type CommandResult, commandResultSchema } from '../../protocol/frames.ts';
import { apiRoute, json, keyHeader, messageParams, problemAnswer } from '../api-route.ts';
import type { App, AppEnv } from '../env.ts';
import { executeBy, executeOnce } from '../execute-command.ts';
import type { Services } from '../services.ts';

const DONE: CommandResult = { message_id: '019abcde-0000-7000-8000-0000000000f1', seq: 14, pos: 1, thread_id: null, tpos: null, at: '2026-11-27T01:00:00.000Z', changed: true };

const remove = apiRoute({ scope: 'messages:write', limit: 'send' }, '/v1/channels/{id}/messages/{message_id}/previews', {
  method: 'delete',
  summary: 'Remove the previews of a message for good, for its author and the owners and admins of the channel. It may have none yet',
  request: { headers: keyHeader, params: messageParams },
  responses: { 200: json(commandResultSchema, 'What it did', DONE), 409: problemAnswer('channel_archived') },
});

export function previewRoutes({ roomCalls }: Pick<Services, 'roomCalls'>): App {
  const app = new OpenAPIHono<AppEnv>();
  const execute = executeBy(roomCalls);
  app.openapi(remove, async (c) => {
    const { id, message_id } = c.req.valid('param');
    return c.json(await executeOnce(c, execute, id, { type: 'remove_previews', message_id }), 200);
  });
  return app;
}
