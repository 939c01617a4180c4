import { OpenAPIHono, z } from '@hono/zod-openapi';
import { closeDirectChannel, type DirectMember, listDirectChannels, listDirectUsers, openDirectChannel } from '../../db/queries/direct-channels.ts';
import { type DirectChannel, directChannelBodySchema, directChannelPageSchema, directChannelSchema } from '../../protocol/api.ts';
import { apiRoute, channelParams, json, jsonBody, keyHeader } from '../api-route.ts';
import { tellMembers } from '../direct-channels.ts';
import { answered, writeDirectory } from '../directory.ts';
import type { App, AppEnv } from '../env.ts';
import { listingOf } from '../listing.ts';
import { cursorSchema, decodeId, encodeCursor, limitSchema } from '../paging.ts';
import { withPostgres } from '../postgres.ts';
import { unwrap } from '../problems.ts';
import { traceparentOf } from '../traceparent.ts';

const PATH = '/v1/direct-channels';
const LIST = 'direct channels';

const [ADA, BOB] = ['019abcde-0000-7000-8000-00000000000a', '019abcde-0000-7000-8000-00000000000b'];
const EXAMPLE: DirectChannel = { id: '019abcde-0000-7000-8000-0000000000c2', kind: 'direct', user_ids: [ADA, BOB], created_at: '2026-11-23T10:00:00.000Z' };
const USERS = [
  { id: ADA, handle: 'ada', display_name: 'Ada Lovelace', role: 'member' as const, avatar: null },
  { id: BOB, handle: 'bob', display_name: 'Bob', role: 'member' as const, avatar: null },
];

const open = apiRoute({ scope: 'channels:write', limit: 'send' }, PATH, {
  method: 'post',
  summary: 'The direct channel of the caller and these users, which is made if there is none; for the others it is in the list once there is a message',
  request: { headers: keyHeader, ...jsonBody(directChannelBodySchema, { user_ids: [BOB] }) },
  responses: { 200: json(directChannelSchema, 'It was there, and is open', EXAMPLE), 201: json(directChannelSchema, 'The new one', EXAMPLE) },
});

const list = apiRoute({ scope: 'channels:read', limit: 'read' }, PATH, {
  method: 'get',
  summary: 'The caller\'s open direct channels, the newest first',
  request: { query: z.object({ limit: limitSchema, cursor: cursorSchema }) },
  responses: { 200: json(directChannelPageSchema, 'A page of direct channels, with their members', { data: [EXAMPLE], next_cursor: null, users: USERS }) },
});

const close = apiRoute({ scope: 'channels:write', limit: 'send' }, `${PATH}/{id}`, {
  method: 'delete',
  summary: 'Take a direct channel from the caller\'s list, until there is a new message in it. It can be read and written as before',
  request: { headers: keyHeader, params: channelParams },
  responses: { 204: { description: 'Closed' } },
});

export function directChannelRoutes(): App {
  const app = new OpenAPIHono<AppEnv>();

  app.openapi(open, async (c) => {
    const { user_ids: userIds } = c.req.valid('json');
    const { credential_id: credentialId } = c.get('identity').actor;
    let members: readonly DirectMember[] = [];
    const answer = await writeDirectory(c, { body: directChannelSchema, statuses: [200, 201] }, async (tx, now) => {
      const opened = await openDirectChannel(tx, { credentialId, userIds, now, traceparent: traceparentOf(c.req.raw.headers) });
      if ('problem' in opened) return opened;
      ({ members } = opened.ok);
      return { ok: { status: members.length > 0 ? 201 : 200, body: opened.ok.channel } };
    });
    await tellMembers(c, answer.body.id, members);
    c.header('Location', `/v1/channels/${answer.body.id}`);
    return c.json(answer.body, answer.status);
  });

  app.openapi(list, async (c) => {
    const { limit, cursor } = c.req.valid('query');
    const before = cursor === undefined ? null : decodeId(LIST, cursor);
    const { credential_id: credentialId } = c.get('identity').actor;
    const page = await withPostgres(c, async (db) => {
      const found = unwrap(await listDirectChannels(db, credentialId, { before, limit: limit + 1 }));
      const listing = listingOf(c, found, limit, ({ id }) => encodeCursor(LIST, id));
      return { ...listing, users: await listDirectUsers(db, listing.data) };
    });
    return c.json(page, 200);
  });

  app.openapi(close, async (c) => {
    const { credential_id: credentialId } = c.get('identity').actor;
    await writeDirectory(c, { body: z.null(), statuses: [204] as const }, async (tx) =>
      answered(204, await closeDirectChannel(tx, credentialId, c.req.valid('param').id), () => null),
    );
    return c.body(null, 204);
  });

  return app;
}
