import { OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { uuidv7 } from 'uuidv7';
import type { Database, Transaction } from '../../db/client.ts';
import { findStandings, maySee } from '../../db/queries/access.ts';
import { changeChannel, type ChannelRequest, setArchived } from '../../db/queries/channel-changes.ts';
import { createChannel, findAnyChannel, listChannels } from '../../db/queries/channels.ts';
import { anyChannelSchema, type Channel, channelBodySchema, channelPageSchema, channelSchema, createChannelBodySchema } from '../../protocol/api.ts';
import type { Outcome } from '../../protocol/errors.ts';
import { apiRoute, channelParams, json, jsonBody, keyHeader, nearHeader, problemAnswer } from '../api-route.ts';
import { answered, tellInbox, tellStanding, writeDirectory } from '../directory.ts';
import type { App, AppEnv } from '../env.ts';
import { listingOf } from '../listing.ts';
import { cursorSchema, decodeId, encodeCursor, limitSchema } from '../paging.ts';
import { withPostgres } from '../postgres.ts';
import { channelEtag, expectedVersion, isKnown, knownHeader, settingsHeaders } from '../preconditions.ts';
import { unwrap } from '../problems.ts';
import { readNear } from '../replica/read-near.ts';
import type { Services } from '../services.ts';
import { traceparentOf } from '../traceparent.ts';

const LIST = 'channels';

const EXAMPLE: Channel = {
  id: '019abcde-0000-7000-8000-0000000000c1',
  kind: 'public',
  name: 'engines',
  topic: 'The analytical one',
  purpose: 'All that turns',
  created_at: '2026-11-23T10:00:00.000Z',
  archived_at: null,
  version: 2,
  my_role: 'owner',
};

const list = apiRoute({ scope: 'channels:read', limit: 'read' }, '/v1/channels', {
  method: 'get',
  summary: 'The channels the caller may see, by name',
  request: { headers: nearHeader, query: z.object({ limit: limitSchema, cursor: cursorSchema }) },
  responses: { 200: json(channelPageSchema, 'A page of channels', { data: [EXAMPLE], next_cursor: null }) },
});

const create = apiRoute({ scope: 'channels:write', limit: 'send' }, '/v1/channels', {
  method: 'post',
  summary: 'Make a channel; the caller becomes its owner',
  request: { headers: keyHeader, ...jsonBody(createChannelBodySchema, { name: 'engines', kind: 'public', topic: 'The analytical one', purpose: 'All that turns' }) },
  responses: { 201: json(channelSchema, 'The new channel', { ...EXAMPLE, version: 1 }), 409: problemAnswer('conflict') },
});

const read = apiRoute({ scope: 'channels:read', limit: 'read' }, '/v1/channels/{id}', {
  method: 'get',
  summary: 'One channel, of any kind',
  request: { headers: knownHeader, params: channelParams },
  responses: { 200: json(anyChannelSchema, 'The channel; its ETag is of its version and the caller\'s role', EXAMPLE), 304: { description: 'The caller has it' } },
});

const change = apiRoute({ scope: 'channels:write', limit: 'send' }, '/v1/channels/{id}', {
  method: 'patch',
  summary: 'Give a channel another name, topic or purpose, for its owners and admins, and for administrators if it is public; what is absent stays. Who is live there is told',
  description:
    'Its `kind`, too. A public channel is made private by its owners and admins, a private one public by its owners; either by administrators of the workspace who are members. Private: who is no member '
    + 'neither finds, sees nor joins it from the moment this is answered; members stay. Public: everybody but guests may join, and then reads everything in it from its beginning, what was said in confidence included. #general, which whoever is new joins, stays public (409).',
  request: { headers: settingsHeaders, params: channelParams, ...jsonBody(channelBodySchema, { topic: 'The analytical one' }) },
  responses: {
    200: json(channelSchema, 'The channel', EXAMPLE),
    409: problemAnswer('conflict'),
    412: problemAnswer('precondition_failed'),
    428: problemAnswer('precondition_required'),
  },
});

const archiving = (summary: string) => ({
  method: 'post' as const,
  summary,
  request: { headers: keyHeader, params: channelParams },
  responses: { 200: json(channelSchema, 'The channel', EXAMPLE), 409: problemAnswer('conflict') },
});
const archive = apiRoute({ scope: 'channels:write', limit: 'send' }, '/v1/channels/{id}/archive', archiving('Close a channel for all that is new, for its owners and admins. It takes nothing more when this returns. #general, which whoever is new joins, is not closed (409)'));
const unarchive = apiRoute({ scope: 'channels:write', limit: 'send' }, '/v1/channels/{id}/unarchive', archiving('Open an archived channel again, for its owners and admins'));

export function channelRoutes({ replica }: Pick<Services, 'replica'>): App {
  const app = new OpenAPIHono<AppEnv>();

  app.openapi(list, async (c) => {
    const { limit, cursor } = c.req.valid('query');
    const after = cursor === undefined ? null : decodeId(LIST, cursor);
    const { credential_id } = c.get('identity').actor;
    const found = await readNear(c, replica, {
      read: async (db) => unwrap(await listChannels(db, credential_id, { after, limit: limit + 1 })),
      // Behind a cursor there was something: a replica that shows nothing does not know the place yet.
      confirm: async (primary, channels) => (channels.length > 0 || after === null) && (await areVisible(primary, credential_id, channels)),
    });
    return c.json(listingOf(c, found, limit, ({ id }) => encodeCursor(LIST, id)), 200);
  });

  app.openapi(create, async (c) => {
    const body = c.req.valid('json');
    const { actor } = c.get('identity');
    const eventId = uuidv7();
    const answer = await writeDirectory(c, { body: channelSchema, statuses: [201] }, async (tx, now) =>
      answered(201, await createChannel(tx, actor, body, { eventId, now, traceparent: traceparentOf(c.req.raw.headers) })),
    );
    await tellInbox(c, { channelId: answer.body.id, userId: actor.user_id, actorId: actor.user_id, eventId });
    c.header('Location', `/v1/channels/${answer.body.id}`);
    return c.json(answer.body, answer.status);
  });

  app.openapi(read, async (c) => {
    const { id } = c.req.valid('param');
    const found = unwrap(await withPostgres(c, (db) => findAnyChannel(db, c.get('identity').actor.credential_id, id)));
    const etag = channelEtag(found);
    return isKnown(c, etag) ? c.body(null, 304, { ETag: etag }) : c.json(found, 200, { ETag: etag });
  });

  app.openapi(change, async (c) => {
    const { id } = c.req.valid('param');
    const [body, expected] = [c.req.valid('json'), expectedVersion(c.req.valid('header'))];
    const changed = await changeHere(c, id, (tx, request) => changeChannel(tx, { ...request, expected }, body));
    return c.json(changed, 200, { ETag: channelEtag(changed) });
  });

  app.openapi(archive, async (c) => c.json(await changeHere(c, c.req.valid('param').id, (tx, request) => setArchived(tx, { ...request, archived: true })), 200));
  app.openapi(unarchive, async (c) => c.json(await changeHere(c, c.req.valid('param').id, (tx, request) => setArchived(tx, { ...request, archived: false })), 200));

  return app;
}

/** Whether the caller sees these channels, of these kinds and in these roles, at this moment: one may have been made private since. */
async function areVisible(primary: Database, credentialId: string, channels: readonly Channel[]): Promise<boolean> {
  const standings = await findStandings(primary, credentialId, channels.map(({ id }) => id));
  return standings !== null && channels.every(({ id, kind, my_role }) => {
    const now = standings.in.get(id);
    return now !== undefined && now.kind === kind && now.my_role === my_role && maySee(now);
  });
}

/** In one transaction; then the room is told, by which who is live there hears of it. */
async function changeHere(c: Context<AppEnv>, channelId: string, effect: (tx: Transaction, request: ChannelRequest) => Promise<Outcome<Channel>>): Promise<Channel> {
  const { credential_id: credentialId, user_id: actorId } = c.get('identity').actor;
  const request = { credentialId, actorId, channelId, eventId: uuidv7(), traceparent: traceparentOf(c.req.raw.headers) };
  const { body } = await writeDirectory(c, { body: channelSchema, statuses: [200] }, async (tx, now) => answered(200, await effect(tx, { ...request, now })));
  await tellStanding(c, body, request.eventId);
  return body;
}
