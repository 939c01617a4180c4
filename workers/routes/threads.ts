import { OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { Transaction } from '../../db/client.ts';
import { chooseFollowing, findThreadState, listThreads, markThreadRead, type ThreadMark, type ThreadRequest } from '../../db/queries/threads.ts';
import type { Outcome } from '../../protocol/errors.ts';
import { type FollowedThread, followedThreadPageSchema, threadReadStateSchema, type ThreadState, threadStateSchema } from '../../protocol/threads.ts';
import { apiRoute, json, jsonBody, keyHeader, messageParams, problemAnswer } from '../api-route.ts';
import { answered, writeDirectory } from '../directory.ts';
import type { App, AppEnv } from '../env.ts';
import { noteInInbox } from '../inbox-notes.ts';
import { listingOf, usersNamed } from '../listing.ts';
import { cursorSchema, decodeTimed, encodeCursor, limitSchema } from '../paging.ts';
import { withPostgres } from '../postgres.ts';
import { unwrap } from '../problems.ts';
import { readSettled } from '../settled.ts';

const OF_MESSAGE = '/v1/channels/{id}/messages/{message_id}';
const FOLLOWING = `${OF_MESSAGE}/following` as const;
const LIST = 'threads';
const reading = { scope: 'messages:read', limit: 'read' } as const;

const stateExample: ThreadState = {
  channel_id: '019ac0de-0000-7000-8000-00000000000b', thread_id: '019ac0de-0000-7000-8000-00000000000e', following: true, followers: 3, reply_count: 5, last_tpos: 6, read_tpos: 4, unread_replies: 1,
};
const author = { id: '019ac0de-0000-7000-8000-00000000000d', handle: 'ada', display_name: 'Ada', role: 'member', avatar: null } as const;
const { following: _, followers: __, ...counters } = stateExample;
const threadExample: FollowedThread = {
  ...counters, root: { author_id: author.id, text: 'Where shall we eat?', created_at: '2026-11-26T11:58:00.000Z', deleted_at: null }, last_reply_at: '2026-11-26T12:00:29.512Z',
};

const list = apiRoute(reading, '/v1/me/threads', {
  method: 'get',
  summary: 'The threads that the caller follows, the newest reply first; all of them, or those with unread replies',
  request: { query: z.object({ unread: z.enum(['true', 'false']).default('false'), limit: limitSchema, cursor: cursorSchema }) },
  responses: { 200: json(followedThreadPageSchema, 'A page of threads', { data: [threadExample], next_cursor: null, users: [author] }) },
});

const state = apiRoute(reading, FOLLOWING, {
  method: 'get',
  summary: 'Whether the caller follows the thread of a message, how many do, and what of it they have not read',
  request: { params: messageParams },
  responses: { 200: json(threadStateSchema, 'The thread', stateExample) },
});

const follow = apiRoute(reading, FOLLOWING, {
  method: 'put',
  summary: 'Follow the thread of a message: be notified of its replies. Who wrote its root, replies or is named in it follows it without',
  request: { headers: keyHeader, params: messageParams },
  responses: { 200: json(threadStateSchema, 'The thread', stateExample), 409: problemAnswer('conflict') },
});

const unfollow = apiRoute(reading, FOLLOWING, {
  method: 'delete',
  summary: 'Follow the thread of a message no more, until a reply names the caller, or they follow it again',
  request: { headers: keyHeader, params: messageParams },
  responses: { 200: json(threadStateSchema, 'The thread', { ...stateExample, following: false, followers: 2 }), 409: problemAnswer('conflict') },
});

const raise = apiRoute(reading, `${OF_MESSAGE}/read-state`, {
  method: 'put',
  summary: 'Mark the thread of a message as read up to a tpos, and no further than its last reply; the marker never goes down',
  request: { headers: keyHeader, params: messageParams, ...jsonBody(threadReadStateSchema, { tpos: 6 }) },
  responses: { 200: json(threadReadStateSchema, 'Where the marker stands now', { tpos: 6 }) },
});

export function threadRoutes(): App {
  const app = new OpenAPIHono<AppEnv>();

  app.openapi(list, async (c) => {
    const { unread, limit, cursor } = c.req.valid('query');
    const page = { unread: unread === 'true', before: cursor === undefined ? null : decodeTimed(LIST, cursor), limit: limit + 1 };
    const found = unwrap(await withPostgres(c, (db) => listThreads(db, c.get('identity').actor.credential_id, page)));
    const { data, next_cursor } = listingOf(c, found.data, limit, ({ last_reply_at, thread_id }) => encodeCursor(LIST, `${last_reply_at} ${thread_id}`));
    return c.json({ data, next_cursor, users: usersNamed(found.users, data.map(({ root }) => root.author_id)) }, 200);
  });

  app.openapi(state, async (c) => c.json(unwrap(await withPostgres(c, (db) => findThreadState(db, requestOf(c, c.req.valid('param'))))), 200));

  app.openapi(follow, async (c) => c.json(await choose(c, requestOf(c, c.req.valid('param')), true), 200));

  app.openapi(unfollow, async (c) => c.json(await choose(c, requestOf(c, c.req.valid('param')), false), 200));

  app.openapi(raise, async (c) => {
    const request = requestOf(c, c.req.valid('param'));
    let isMoved = false;
    const { body } = await writeDirectory(c, { body: threadReadStateSchema, statuses: [200] }, async (tx, now) => {
      const marked = await markRead(c, tx, request, c.req.valid('json').tpos, now);
      if ('ok' in marked) ({ isMoved } = marked.ok);
      return answered(200, marked, ({ tpos }) => ({ tpos }));
    });
    if (isMoved) noteInInbox(c, { type: 'thread.read', channel_id: request.channelId, thread_id: request.rootId, read_tpos: body.tpos }, body.tpos);
    return c.json(body, 200);
  });

  return app;
}

function requestOf(c: Context<AppEnv>, { id, message_id }: { id: string; message_id: string }): ThreadRequest {
  const { credential_id: credentialId, user_id: userId } = c.get('identity').actor;
  return { credentialId, userId, channelId: id, rootId: message_id };
}

/** Of a reply that Postgres has not yet, it hears soon: whoever has read it live is not set back. */
async function markRead(c: Context<AppEnv>, tx: Transaction, request: ThreadRequest, tpos: number, now: Date): Promise<Outcome<ThreadMark>> {
  const first = await markThreadRead(tx, request, tpos, now);
  if ('problem' in first || !first.ok.isCut) return first;
  await readSettled(c, request.channelId, async () => {});
  const second = await markThreadRead(tx, request, tpos, now);
  return 'problem' in second ? second : { ok: { ...second.ok, isMoved: first.ok.isMoved || second.ok.isMoved } };
}

async function choose(c: Context<AppEnv>, request: ThreadRequest, follows: boolean): Promise<ThreadState> {
  let version: number | null = null;
  const { body } = await writeDirectory(c, { body: threadStateSchema, statuses: [200] }, async (tx) => {
    const chosen = await chooseFollowing(tx, request, follows);
    if ('problem' in chosen) return chosen;
    ({ version } = chosen.ok);
    return { ok: { status: 200, body: chosen.ok.state } };
  });
  if (version !== null) noteInInbox(c, { type: 'thread.followed', channel_id: request.channelId, thread_id: request.rootId, following: follows }, version);
  return body;
}
