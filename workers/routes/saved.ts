import { OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { listSaved, saveMessage, unsaveMessage } from '../../db/queries/saved.ts';
import { type SavedPage, savedPageSchema, type SavedState, savedStateSchema } from '../../protocol/api.ts';
import { idSchema } from '../../protocol/primitives.ts';
import { apiRoute, json, keyHeader, problemAnswer } from '../api-route.ts';
import { answered, writeDirectory } from '../directory.ts';
import type { App, AppEnv } from '../env.ts';
import { linkNext, usersNamed } from '../listing.ts';
import { cursorSchema, decodeCounter, encodeCursor, limitSchema } from '../paging.ts';
import { withPostgres } from '../postgres.ts';
import { unwrap } from '../problems.ts';
import { callInbox } from '../room.ts';

const LIST = 'saved';
const PATH = '/v1/me/saved/{message_id}';
const MESSAGE = '019abcde-0000-7000-8000-0000000000f1';
const ADA = '019abcde-0000-7000-8000-00000000000a';
const AT = '2026-11-23T10:00:00.000Z';
const PAGE: SavedPage = {
  data: [
    {
      saved_at: AT,
      message: {
        id: MESSAGE, channel_id: '019abcde-0000-7000-8000-0000000000c1', seq: 1, pos: 1, thread_id: null, tpos: null, author_id: ADA, client_msg_id: 'c-1',
        text: 'Read this later', origin: null, revision: 1, created_at: AT, edited_at: null, deleted_at: null, reply_count: 0, reactions: [],
      },
    },
  ],
  version: 3, next_cursor: null, users: [{ id: ADA, handle: 'ada', display_name: 'Ada', role: 'member', avatar: null }],
};

const list = apiRoute({ scope: 'messages:read', limit: 'read' }, '/v1/me/saved', {
  method: 'get',
  summary: 'What the caller has saved for later and may still read, the newest first',
  request: { query: z.object({ limit: limitSchema, cursor: cursorSchema }) },
  responses: { 200: json(savedPageSchema, 'A page of saved messages', PAGE) },
});

const params = z.object({ message_id: idSchema });
const save = apiRoute({ scope: 'messages:read', limit: 'read' }, PATH, {
  method: 'put',
  summary: 'Save a message for later, at most 10,000; one that is saved already stays where it is',
  request: { headers: keyHeader, params },
  responses: { 200: json(savedStateSchema, 'It is saved', { message_id: MESSAGE, saved: true, version: 3 }), 409: problemAnswer('limit_reached') },
});

const unsave = apiRoute({ scope: 'messages:read', limit: 'read' }, PATH, {
  method: 'delete',
  summary: 'Save a message no longer',
  request: { headers: keyHeader, params },
  responses: { 200: json(savedStateSchema, 'It is not saved', { message_id: MESSAGE, saved: false, version: 4 }) },
});

export function savedRoutes(): App {
  const app = new OpenAPIHono<AppEnv>();

  app.openapi(list, async (c) => {
    const { limit, cursor } = c.req.valid('query');
    const before = cursor === undefined ? Number.MAX_SAFE_INTEGER : decodeCounter(LIST, cursor);
    const found = unwrap(await withPostgres(c, (db) => listSaved(db, c.get('identity').actor.credential_id, { before, limit: limit + 1 })));
    const data = found.data.slice(0, limit);
    const last = found.data.length > limit ? found.numbers[limit - 1] : undefined;
    const next_cursor = last === undefined ? null : encodeCursor(LIST, last);
    linkNext(c, next_cursor);
    return c.json({ data, version: found.version, next_cursor, users: usersNamed(found.users, data.map(({ message }) => message.author_id)) }, 200);
  });

  app.openapi(save, async (c) => c.json(await change(c, c.req.valid('param').message_id, saveMessage), 200));
  app.openapi(unsave, async (c) => c.json(await change(c, c.req.valid('param').message_id, unsaveMessage), 200));

  return app;
}

async function change(c: Context<AppEnv>, messageId: string, effect: typeof saveMessage): Promise<SavedState> {
  const { actor } = c.get('identity');
  const { body } = await writeDirectory(c, { body: savedStateSchema, statuses: [200] }, async (tx, now) =>
    answered(200, await effect(tx, { credentialId: actor.credential_id, messageId, now })),
  );
  await tellDevices(c, actor.user_id, body);
  return body;
}

/** The user's other devices. One that is not told sees by the next version that it has missed something: the list is Postgres'. */
async function tellDevices(c: Context<AppEnv>, userId: string, state: SavedState): Promise<void> {
  try {
    await callInbox(c.env, userId, (inbox) => inbox.savedChanged(userId, state));
  } catch (error) {
    console.warn(JSON.stringify({ level: 'warn', request_id: c.get('requestId'), event: 'saved_not_told', error: String(error) }));
  }
}
