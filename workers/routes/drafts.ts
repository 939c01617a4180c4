import { OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { deleteDraft, type DraftRequest, listDrafts, saveDraft } from '../../db/queries/drafts.ts';
import { type Draft, type DraftBody, draftBodySchema, draftPageSchema, draftSchema } from '../../protocol/drafts.ts';
import { idSchema } from '../../protocol/primitives.ts';
import { apiRoute, json, jsonBody, problemAnswer } from '../api-route.ts';
import { answered, writeDirectory } from '../directory.ts';
import type { App, AppEnv } from '../env.ts';
import { noteInInbox } from '../inbox-notes.ts';
import { listingOf } from '../listing.ts';
import { cursorSchema, decodeCounter, encodeCursor, limitSchema } from '../paging.ts';
import { withPostgres } from '../postgres.ts';
import { etagOf, matchedVersion, optionalMatch } from '../preconditions.ts';
import { unwrap } from '../problems.ts';

const PATH = '/v1/me/drafts';
const OF_CHANNEL = `${PATH}/{channel_id}` as const;
const OF_THREAD = `${OF_CHANNEL}/{thread_id}` as const;
const LIST = 'drafts';

const writing = { scope: 'messages:write', limit: 'send' } as const;
const channelParams = z.object({ channel_id: idSchema });
const threadParams = channelParams.extend({ thread_id: idSchema });
const headers = optionalMatch(15, 'must be an ETag of a draft, or "0"', 'The ETag of the draft that is to be replaced, or "0" where there is to be none. Without it the last to save wins');

const example: Draft = {
  channel_id: '019ac0de-0000-7000-8000-00000000000b', thread_id: null, text: 'Half a thou', file_ids: [], version: 1_795_708_829_512, updated_at: '2026-11-26T12:00:29.512Z',
};
const threadExample: Draft = { ...example, thread_id: '019ac0de-0000-7000-8000-00000000000e' };
const refusals = { 409: problemAnswer('conflict'), 412: problemAnswer('precondition_failed') };

const list = apiRoute({ scope: 'messages:read', limit: 'read' }, PATH, {
  method: 'get',
  summary: 'The caller\'s drafts, what was saved last first',
  request: { query: z.object({ limit: limitSchema, cursor: cursorSchema }) },
  responses: { 200: json(draftPageSchema, 'A page of drafts', { data: [example], next_cursor: null }) },
});

const save = apiRoute(writing, OF_CHANNEL, {
  method: 'put',
  summary: 'Save the draft of a message to a channel. Sending the message does not delete it',
  request: { headers, params: channelParams, ...jsonBody(draftBodySchema, { text: example.text }) },
  responses: { 200: json(draftSchema, 'The draft, with its version as ETag', example), ...refusals },
});

const saveReply = apiRoute(writing, OF_THREAD, {
  method: 'put',
  summary: 'Save the draft of a reply in a thread',
  request: { headers, params: threadParams, ...jsonBody(draftBodySchema, { text: example.text }) },
  responses: { 200: json(draftSchema, 'The draft, with its version as ETag', threadExample), ...refusals },
});

const remove = apiRoute(writing, OF_CHANNEL, {
  method: 'delete',
  summary: 'Delete the draft of a message to a channel; nothing where there is none',
  request: { headers, params: channelParams },
  responses: { 204: { description: 'There is none' }, ...refusals },
});

const removeReply = apiRoute(writing, OF_THREAD, {
  method: 'delete',
  summary: 'Delete the draft of a reply in a thread; nothing where there is none',
  request: { headers, params: threadParams },
  responses: { 204: { description: 'There is none' }, ...refusals },
});

export function draftRoutes(): App {
  const app = new OpenAPIHono<AppEnv>();

  app.openapi(list, async (c) => {
    const { limit, cursor } = c.req.valid('query');
    const page = { before: cursor === undefined ? null : decodeCounter(LIST, cursor), limit: limit + 1 };
    const found = unwrap(await withPostgres(c, (db) => listDrafts(db, c.get('identity').actor.credential_id, page)));
    return c.json(listingOf(c, found, limit, ({ version }) => encodeCursor(LIST, version)), 200);
  });

  app.openapi(save, async (c) => {
    const draft = await put(c, requestOf(c, c.req.valid('param').channel_id, null, c.req.valid('header')), c.req.valid('json'));
    return c.json(draft, 200, { ETag: etagOf(draft) });
  });

  app.openapi(saveReply, async (c) => {
    const { channel_id, thread_id } = c.req.valid('param');
    const draft = await put(c, requestOf(c, channel_id, thread_id, c.req.valid('header')), c.req.valid('json'));
    return c.json(draft, 200, { ETag: etagOf(draft) });
  });

  app.openapi(remove, async (c) => {
    await drop(c, requestOf(c, c.req.valid('param').channel_id, null, c.req.valid('header')));
    return c.body(null, 204);
  });

  app.openapi(removeReply, async (c) => {
    const { channel_id, thread_id } = c.req.valid('param');
    await drop(c, requestOf(c, channel_id, thread_id, c.req.valid('header')));
    return c.body(null, 204);
  });

  return app;
}

function requestOf(c: Context<AppEnv>, channelId: string, threadId: string | null, given: z.infer<typeof headers>): DraftRequest {
  const { credential_id: credentialId, user_id: userId } = c.get('identity').actor;
  return { credentialId, userId, channelId, threadId, expected: matchedVersion(given) };
}

async function put(c: Context<AppEnv>, request: DraftRequest, draft: DraftBody): Promise<Draft> {
  const { body } = await writeDirectory(c, { body: draftSchema, statuses: [200] }, async (tx) => answered(200, await saveDraft(tx, request, draft)));
  note(c, request, body.version, false);
  return body;
}

async function drop(c: Context<AppEnv>, request: DraftRequest): Promise<void> {
  let version: number | null = null;
  await writeDirectory(c, { body: z.null(), statuses: [204] }, async (tx) => {
    const deleted = await deleteDraft(tx, request);
    if ('problem' in deleted) return deleted;
    version = deleted.ok;
    return { ok: { status: 204, body: null } };
  });
  if (version !== null) note(c, request, version, true);
}

/** What is saved next has a higher version than what was deleted. */
function note(c: Context<AppEnv>, { channelId, threadId }: DraftRequest, version: number, deleted: boolean): void {
  noteInInbox(c, { type: 'draft.changed', channel_id: channelId, thread_id: threadId, version, deleted }, 2 * version + (deleted ? 1 : 0));
}
