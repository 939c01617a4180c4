import { OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { uuidv7 } from 'uuidv7';
import { findAvatar, removeAvatar, removeAvatarOf, setAvatar } from '../../db/queries/avatars.ts';
import { AVATAR_SIZES, avatarBodySchema, profileSchema } from '../../protocol/api.ts';
import { idSchema, storableString } from '../../protocol/primitives.ts';
import { apiRoute, json, jsonBody, keyHeader, problemAnswer } from '../api-route.ts';
import { forgetProfile } from '../cache/forget-profile.ts';
import { answered, writeDirectory } from '../directory.ts';
import type { App, AppEnv } from '../env.ts';
import { serveAvatar } from '../files/content.ts';
import { withPostgres } from '../postgres.ts';
import { etagOf, knownHeader } from '../preconditions.ts';
import { unwrap } from '../problems.ts';
import type { Services } from '../services.ts';
import { traceparentOf } from '../traceparent.ts';
import { PROFILE_EXAMPLE } from './users.ts';

const userParams = z.object({ id: idSchema });
const gone = { 204: { description: 'There is none' } };

const set = apiRoute({ scope: 'channels:write', limit: 'send' }, '/v1/me/avatar', {
  method: 'put',
  summary: 'Make an image that the caller has uploaded their picture, once it is clean. Everybody who may know of them sees it, whatever channel it was uploaded to',
  request: { headers: keyHeader, ...jsonBody(avatarBodySchema, { file_id: '019abcde-0000-7000-8000-0000000000f1' }) },
  responses: {
    200: json(profileSchema, 'The caller, with their version as ETag', PROFILE_EXAMPLE),
    404: problemAnswer('not_found'),
    409: problemAnswer('file_not_clean'),
    410: problemAnswer('file_infected'),
  },
});

const remove = apiRoute({ scope: 'channels:write', limit: 'send' }, '/v1/me/avatar', {
  method: 'delete',
  summary: 'Take the caller\'s picture away. Its file stays',
  request: { headers: keyHeader },
  responses: gone,
});

const removeOther = apiRoute({ scope: 'admin', limit: 'send' }, '/v1/users/{id}/avatar', {
  method: 'delete',
  summary: 'Take a user\'s picture away, for administrators. Its file stays',
  request: { headers: keyHeader, params: userParams },
  responses: gone,
});

const read = apiRoute({ scope: 'channels:read', limit: 'read' }, '/v1/users/{id}/avatar', {
  method: 'get',
  summary: 'The picture of a user, in WebP; to a guest, of those with whom they share a channel',
  request: {
    headers: knownHeader,
    params: userParams,
    query: z.object({
      v: storableString(100).optional().openapi({ description: 'As in `avatar.url`: while this is the picture, the answer may be kept for a week. Without it, or with another, one has to ask again each time' }),
      size: z.enum(AVATAR_SIZES).optional().openapi({ description: 'Of its longer side, in pixels; it is smaller where the image is. Absent: 160' }),
    }),
  },
  responses: {
    200: { content: { 'image/webp': { schema: z.string().openapi({ format: 'binary' }) } }, description: 'The picture' },
    304: { description: 'The client has it already: its ETag is the one of If-None-Match' },
  },
});

const DONE = { body: z.null(), statuses: [204] as const };

export function avatarRoutes(services: Pick<Services, 'profiles' | 'redisBreaker'>): App {
  const app = new OpenAPIHono<AppEnv>();

  app.openapi(set, async (c) => {
    const { file_id: fileId } = c.req.valid('json');
    const request = ownRequest(c);
    const { body } = await writeDirectory(c, { body: profileSchema, statuses: [200] }, async (tx, now) => answered(200, await setAvatar(tx, { ...request, now }, fileId)));
    await forgetProfile(c, services, request.userId);
    return c.json(body, 200, { ETag: etagOf(body) });
  });

  app.openapi(remove, async (c) => {
    const request = ownRequest(c);
    await writeDirectory(c, DONE, async (tx, now) => answered(204, await removeAvatar(tx, { ...request, now }), () => null));
    await forgetProfile(c, services, request.userId);
    return c.body(null, 204);
  });

  app.openapi(removeOther, async (c) => {
    const { id: userId } = c.req.valid('param');
    const { userId: actorId, ...request } = ownRequest(c);
    await writeDirectory(c, DONE, async (tx, now) => answered(204, await removeAvatarOf(tx, { ...request, actorId, userId, now }), () => null));
    await forgetProfile(c, services, userId);
    return c.body(null, 204);
  });

  app.openapi(read, async (c) => {
    const { v, size = '160' } = c.req.valid('query');
    const file = unwrap(await withPostgres(c, (db) => findAvatar(db, c.get('identity').actor.credential_id, c.req.valid('param').id)));
    return serveAvatar(c, file, { size: Number(size), isNamed: v === file.id });
  });

  return app;
}

function ownRequest(c: Context<AppEnv>) {
  const { credential_id: credentialId, user_id: userId } = c.get('identity').actor;
  return { credentialId, userId, eventId: uuidv7(), traceparent: traceparentOf(c.req.raw.headers) };
}
