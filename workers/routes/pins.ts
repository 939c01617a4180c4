import { OpenAPIHono, z } from '@hono/zod-openapi';
import { readPins } from '../../db/queries/messages.ts';
import { type PinPage, pinPageSchema } from '../../protocol/api.ts';
import { type CommandResult, commandResultSchema } from '../../protocol/frames.ts';
import { apiRoute, channelParams, json, keyHeader, messageParams, problemAnswer } from '../api-route.ts';
import type { App, AppEnv } from '../env.ts';
import { executeBy, executeOnce } from '../execute-command.ts';
import { linkNext, usersNamed } from '../listing.ts';
import { cursorSchema, decodeCounter, encodeCursor, limitSchema } from '../paging.ts';
import { withPostgres } from '../postgres.ts';
import { unwrap } from '../problems.ts';
import type { Services } from '../services.ts';

const WRITE = { scope: 'messages:write', limit: 'send' } as const;
const MESSAGE = '019abcde-0000-7000-8000-0000000000f1';
const ADA = '019abcde-0000-7000-8000-00000000000a';
const AT = '2026-11-23T10:00:00.000Z';
const DONE: CommandResult = { message_id: MESSAGE, seq: 11, pos: 1, thread_id: null, tpos: null, at: AT, changed: true };
const PAGE: PinPage = {
  data: [
    {
      id: MESSAGE, channel_id: '019abcde-0000-7000-8000-0000000000c1', seq: 1, pos: 1, thread_id: null, tpos: null, author_id: ADA, client_msg_id: 'c-1',
      text: 'The door code has changed', origin: null, revision: 1, created_at: AT, edited_at: null, deleted_at: null, reply_count: 0, reactions: [],
      pinned: { at: AT, by: ADA },
    },
  ],
  epoch: 1, as_of_seq: 11, next_cursor: null, users: [{ id: ADA, handle: 'ada', display_name: 'Ada', role: 'member', avatar: null }],
};

const list = apiRoute({ scope: 'messages:read', limit: 'read' }, '/v1/channels/{id}/pins', {
  method: 'get',
  summary: 'The pinned messages of a channel, those that were pinned last first',
  request: { params: channelParams, query: z.object({ limit: limitSchema, cursor: cursorSchema }) },
  responses: { 200: json(pinPageSchema, 'A page of pinned messages, and the event it is as of', PAGE) },
});

const pin = apiRoute(WRITE, '/v1/channels/{id}/messages/{message_id}/pin', {
  method: 'put',
  summary: 'Pin a message to its channel. One that is pinned already stays as it is',
  request: { headers: keyHeader, params: messageParams },
  responses: { 200: json(commandResultSchema, 'What it did', DONE), 409: problemAnswer('limit_reached') },
});

const unpin = apiRoute(WRITE, '/v1/channels/{id}/messages/{message_id}/pin', {
  method: 'delete',
  summary: 'Take a pin away. One that is not there changes nothing',
  request: { headers: keyHeader, params: messageParams },
  responses: { 200: json(commandResultSchema, 'What it did', DONE), 409: problemAnswer('channel_archived') },
});

export function pinRoutes({ roomCalls }: Pick<Services, 'roomCalls'>): App {
  const app = new OpenAPIHono<AppEnv>();
  const execute = executeBy(roomCalls);

  app.openapi(list, async (c) => {
    const { id } = c.req.valid('param');
    const { limit, cursor } = c.req.valid('query');
    const before = cursor === undefined ? Number.MAX_SAFE_INTEGER : decodeCounter(`pins ${id}`, cursor);
    const { messages, pinSeqs, users, ...snapshot } = unwrap(await withPostgres(c, (db) => readPins(db, c.get('identity').actor.credential_id, id, { before, count: limit + 1 })));
    const data = messages.slice(0, limit);
    const last = messages.length > limit ? pinSeqs[limit - 1] : undefined;
    const next_cursor = last === undefined ? null : encodeCursor(`pins ${id}`, last);
    linkNext(c, next_cursor);
    return c.json({ data, ...snapshot, next_cursor, users: usersNamed(users, data.map(({ author_id }) => author_id)) }, 200);
  });

  app.openapi(pin, async (c) => {
    const { id, message_id } = c.req.valid('param');
    return c.json(await executeOnce(c, execute, id, { type: 'pin', message_id }), 200);
  });

  app.openapi(unpin, async (c) => {
    const { id, message_id } = c.req.valid('param');
    return c.json(await executeOnce(c, execute, id, { type: 'unpin', message_id }), 200);
  });

  return app;
}
