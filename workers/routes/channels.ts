import { OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { uuidv7 } from 'uuidv7';
import type { Database } from '../../db/client.ts';
import { findRoles, maySee } from '../../db/queries/access.ts';
import { setArchived } from '../../db/queries/archiving.ts';
import { createChannel, findChannel, listChannels } from '../../db/queries/channels.ts';
import { type Channel, channelPageSchema, channelSchema, createChannelBodySchema } from '../../protocol/api.ts';
import { apiRoute, channelParams, json, jsonBody, keyHeader, nearHeader, problemAnswer } from '../api-route.ts';
import { tellInbox, tellStanding, writeDirectory } from '../directory.ts';
import type { App, AppEnv } from '../env.ts';
import { cursorSchema, decodeId, encodeCursor, limitSchema, linkHeader } from '../paging.ts';
import { withPostgres } from '../postgres.ts';
import { unwrap } from '../problems.ts';
import { readNear } from '../replica/read-near.ts';
import type { Services } from '../services.ts';
import { traceparentOf } from '../traceparent.ts';

const LIST = 'channels';

const list = apiRoute({ scope: 'channels:read', limit: 'read' }, '/v1/channels', {
  method: 'get',
  summary: 'The channels the caller may see, by name',
  request: { headers: nearHeader, query: z.object({ limit: limitSchema, cursor: cursorSchema }) },
  responses: { 200: json(channelPageSchema, 'A page of channels') },
});

const create = apiRoute({ scope: 'channels:write', limit: 'send' }, '/v1/channels', {
  method: 'post',
  summary: 'Make a channel; the caller becomes its owner',
  request: { headers: keyHeader, ...jsonBody(createChannelBodySchema) },
  responses: { 201: json(channelSchema, 'The new channel'), 409: problemAnswer('conflict') },
});

const read = apiRoute({ scope: 'channels:read', limit: 'read' }, '/v1/channels/{id}', {
  method: 'get',
  summary: 'One channel',
  request: { params: channelParams },
  responses: { 200: json(channelSchema, 'The channel') },
});

const archiving = (summary: string) => ({
  method: 'post' as const,
  summary,
  request: { headers: keyHeader, params: channelParams },
  responses: { 200: json(channelSchema, 'The channel') },
});
const archive = apiRoute({ scope: 'channels:write', limit: 'send' }, '/v1/channels/{id}/archive', archiving('Close a channel for all that is new, for its owners and admins. It takes nothing more when this returns'));
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
    const data = found.slice(0, limit);
    const last = found.length > limit ? data.at(-1) : undefined;
    const next_cursor = last ? encodeCursor(LIST, last.id) : null;
    c.header('Link', linkHeader(c.req.url, [{ rel: 'next', parameter: 'cursor', cursor: next_cursor }]));
    return c.json({ data, next_cursor }, 200);
  });

  app.openapi(create, async (c) => {
    const body = c.req.valid('json');
    const { actor } = c.get('identity');
    const eventId = uuidv7();
    const answer = await writeDirectory(c, { body: channelSchema, statuses: [201] }, async (tx, now) => {
      const made = await createChannel(tx, actor, body, { eventId, now, traceparent: traceparentOf(c.req.raw.headers) });
      return 'problem' in made ? made : { ok: { status: 201, body: made.ok } };
    });
    await tellInbox(c, { channelId: answer.body.id, userId: actor.user_id, actorId: actor.user_id, eventId });
    c.header('Location', `/v1/channels/${answer.body.id}`);
    return c.json(answer.body, answer.status);
  });

  app.openapi(read, async (c) => {
    const { id } = c.req.valid('param');
    return c.json(unwrap(await withPostgres(c, (db) => findChannel(db, c.get('identity').actor.credential_id, id))), 200);
  });

  app.openapi(archive, async (c) => c.json(await setArchivedHere(c, c.req.valid('param').id, true), 200));
  app.openapi(unarchive, async (c) => c.json(await setArchivedHere(c, c.req.valid('param').id, false), 200));

  return app;
}

/** Whether the caller sees these channels, in these roles, at this moment. What kind a channel is never changes. */
async function areVisible(primary: Database, credentialId: string, channels: readonly Channel[]): Promise<boolean> {
  const roles = await findRoles(primary, credentialId, channels.map(({ id }) => id));
  return roles !== null && channels.every(({ id, kind, my_role }) => my_role === (roles.in.get(id) ?? null) && maySee({ kind, my_role, user_role: roles.user }));
}

async function setArchivedHere(c: Context<AppEnv>, channelId: string, archived: boolean): Promise<Channel> {
  const { credential_id: credentialId, user_id: actorId } = c.get('identity').actor;
  const request = { credentialId, actorId, channelId, archived, eventId: uuidv7(), traceparent: traceparentOf(c.req.raw.headers) };
  const { body } = await writeDirectory(c, { body: channelSchema, statuses: [200] }, async (tx, now) => {
    const changed = await setArchived(tx, { ...request, now });
    return 'problem' in changed ? changed : { ok: { status: 200, body: changed.ok } };
  });
  await tellStanding(c, body);
  return body;
}
