import { OpenAPIHono, z } from '@hono/zod-openapi';
import { listNotifications } from '../../db/queries/notifications.ts';
import { notificationPageSchema, readNotificationsBodySchema } from '../../protocol/api.ts';
import { counterSchema } from '../../protocol/primitives.ts';
import { apiRoute, json, jsonBody, keyHeader } from '../api-route.ts';
import { keepAnswerOf } from '../directory.ts';
import type { App, AppEnv } from '../env.ts';
import { listingOf, usersNamed } from '../listing.ts';
import { cursorSchema, decodeCounter, encodeCursor, limitSchema } from '../paging.ts';
import { withPostgres } from '../postgres.ts';
import { unwrap } from '../problems.ts';
import { callInbox } from '../room.ts';
import { tracedActor } from '../traceparent.ts';

const LIST = 'notifications';
const READ = { body: z.strictObject({ read_seq: counterSchema }), statuses: [200] as const };

const list = apiRoute({ scope: 'messages:read', limit: 'read' }, '/v1/me/notifications', {
  method: 'get',
  summary: 'What the caller was notified of, the newest first; all of it, or what is unread',
  request: { query: z.object({ unread: z.enum(['true', 'false']).default('false'), limit: limitSchema, cursor: cursorSchema }) },
  responses: { 200: json(notificationPageSchema, 'A page of notifications') },
});

const markRead = apiRoute({ scope: 'messages:read', limit: 'read' }, '/v1/me/notifications/read', {
  method: 'post',
  summary: 'Mark notifications as read, up to a seq or all, on all devices; that place never goes down',
  request: { headers: keyHeader, ...jsonBody(readNotificationsBodySchema) },
  responses: { 200: json(READ.body, 'Up to where they are read now') },
});

export function notificationRoutes(): App {
  const app = new OpenAPIHono<AppEnv>();

  app.openapi(list, async (c) => {
    const { unread, limit, cursor } = c.req.valid('query');
    const before = cursor === undefined ? Number.MAX_SAFE_INTEGER : decodeCounter(LIST, cursor);
    const request = { unread: unread === 'true', before, limit: limit + 1 };
    const found = unwrap(await withPostgres(c, (db) => listNotifications(db, c.get('identity').actor.credential_id, request)));
    const { data, next_cursor } = listingOf(c, found.data, limit, ({ seq }) => encodeCursor(LIST, seq));
    return c.json({ data, next_cursor, read_seq: found.read_seq, users: usersNamed(found.users, data.map(({ author_id }) => author_id)) }, 200);
  });

  app.openapi(markRead, async (c) => {
    const actor = tracedActor(c);
    const { read_seq } = c.req.valid('json');
    const read = async () => unwrap(await callInbox(c.env, actor.user_id, (inbox) => inbox.readNotices(actor, read_seq)));
    return c.json((await keepAnswerOf(c, READ, async () => ({ status: 200, body: await read() }))).body, 200);
  });

  return app;
}
