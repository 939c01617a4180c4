import { OpenAPIHono } from '@hono/zod-openapi';
import { uuidv7 } from 'uuidv7';
import { inOneStatement } from '../../db/in-one-statement.ts';
import { listMyChannels } from '../../db/queries/channels.ts';
import { listMyDirectChannels } from '../../db/queries/direct-channels.ts';
import { findMyInbox } from '../../db/queries/inbox-cursor.ts';
import { changeProfile } from '../../db/queries/profiles.ts';
import { findMe, findMyProfile, listCoMembers } from '../../db/queries/users.ts';
import { bootstrapSchema, profileBodySchema, profileSchema } from '../../protocol/api.ts';
import { apiRoute, json, jsonBody, problemAnswer } from '../api-route.ts';
import { forgetProfile } from '../cache/forget-profile.ts';
import { answered, writeDirectory } from '../directory.ts';
import type { App, AppEnv } from '../env.ts';
import { withPostgres } from '../postgres.ts';
import { etagOf, expectedVersion, isKnown, knownHeader, settingsHeaders } from '../preconditions.ts';
import { unwrap } from '../problems.ts';
import type { Services } from '../services.ts';
import { traceparentOf } from '../traceparent.ts';
import { PROFILE_EXAMPLE } from './users.ts';

/** Most channels and users of one bootstrap; the rest is found by the listings. */
const MAX_CHANNELS = 1_000;
const MAX_USERS = 1_000;

const me = apiRoute({ scope: 'channels:read', limit: 'read' }, '/v1/me', {
  method: 'get',
  summary: 'The caller',
  request: { headers: knownHeader },
  responses: { 200: json(profileSchema, 'The caller, with their version as ETag', PROFILE_EXAMPLE), 304: { description: 'The caller has it' } },
});

const change = apiRoute({ scope: 'channels:write', limit: 'send' }, '/v1/me', {
  method: 'patch',
  summary: 'Change what others see of the caller; what is absent stays. A handle that is given up stays theirs: what was written to it is still for them, and nobody else gets it',
  request: { headers: settingsHeaders, ...jsonBody(profileBodySchema, { title: 'Countess of computing', time_zone: 'Europe/London' }) },
  responses: {
    200: json(profileSchema, 'The caller, with their version as ETag', PROFILE_EXAMPLE),
    409: problemAnswer('conflict'),
    412: problemAnswer('precondition_failed'),
    428: problemAnswer('precondition_required'),
  },
});

const bootstrap = apiRoute({ scope: 'channels:read', limit: 'read' }, '/v1/bootstrap', {
  method: 'get',
  summary: 'What a first paint needs, in one call',
  responses: { 200: json(bootstrapSchema, 'The caller, their channels with cursors to subscribe from, and whom they share them with') },
});

export function meRoutes(services: Pick<Services, 'profiles' | 'redisBreaker'>): App {
  const app = new OpenAPIHono<AppEnv>();

  app.openapi(me, async (c) => {
    const found = unwrap(await withPostgres(c, (db) => findMyProfile(db, c.get('identity').actor.credential_id)));
    const etag = etagOf(found);
    return isKnown(c, etag) ? c.body(null, 304, { ETag: etag }) : c.json(found, 200, { ETag: etag });
  });

  app.openapi(change, async (c) => {
    const { credential_id: credentialId, user_id: userId } = c.get('identity').actor;
    const [body, expected] = [c.req.valid('json'), expectedVersion(c.req.valid('header'))];
    const request = { credentialId, userId, expected, eventId: uuidv7(), traceparent: traceparentOf(c.req.raw.headers) };
    const answer = await writeDirectory(c, { body: profileSchema, statuses: [200] }, async (tx, now) =>
      answered(200, await changeProfile(tx, { ...request, now }, body)),
    );
    await forgetProfile(c, services, userId);
    return c.json(answer.body, 200, { ETag: etagOf(answer.body) });
  });

  app.openapi(bootstrap, async (c) => {
    const { credential_id } = c.get('identity').actor;
    const [inbox, found, channels, direct_channels, users] = await withPostgres(c, (db) =>
      inOneStatement(db, (asking) =>
        Promise.all([
          findMyInbox(asking, credential_id),
          findMe(asking, credential_id),
          listMyChannels(asking, credential_id, MAX_CHANNELS),
          listMyDirectChannels(asking, credential_id, MAX_CHANNELS),
          listCoMembers(asking, credential_id, MAX_USERS),
        ]),
      ),
    );
    return c.json({ inbox, me: unwrap(found), channels, direct_channels, users }, 200);
  });

  return app;
}
