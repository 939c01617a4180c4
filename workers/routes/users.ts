import { OpenAPIHono, z } from '@hono/zod-openapi';
import { listUsers } from '../../db/queries/people.ts';
import { findUser, maySeeUser } from '../../db/queries/users.ts';
import { type Profile, profileSchema, userPageSchema } from '../../protocol/api.ts';
import { CONSISTENCY_HEADER } from '../../protocol/consistency.ts';
import { MAX_PEOPLE_QUERY } from '../../protocol/limits.ts';
import { idSchema, storableString } from '../../protocol/primitives.ts';
import { apiRoute, json, nearHeader } from '../api-route.ts';
import { redisLevel } from '../cache/redis-level.ts';
import type { App, AppEnv } from '../env.ts';
import { listingOf } from '../listing.ts';
import { cursorSchema, encodeCursor, limitSchema } from '../paging.ts';
import { withPostgres } from '../postgres.ts';
import { etagOf, isKnown, knownHeader } from '../preconditions.ts';
import { ProblemError, unwrap } from '../problems.ts';
import type { Services } from '../services.ts';
import { checksum } from '../search/checksum.ts';
import { decodePlace } from '../search/person-place.ts';

/** Most words of `q` that count. */
const MAX_WORDS = 5;

export const PROFILE_EXAMPLE: Profile = {
  id: '019abcde-0000-7000-8000-00000000000a',
  handle: 'ada',
  display_name: 'Ada Lovelace',
  role: 'member',
  avatar: { file_id: '019abcde-0000-7000-8000-0000000000f1', url: '/v1/users/019abcde-0000-7000-8000-00000000000a/avatar?v=019abcde-0000-7000-8000-0000000000f1' },
  title: 'Countess of computing',
  pronouns: 'she/her',
  time_zone: 'Europe/London',
  is_bot: false,
  deactivated: false,
  version: 3,
};

const read = apiRoute({ scope: 'channels:read', limit: 'read' }, '/v1/users/{id}', {
  method: 'get',
  summary: 'The profile of a user; to a guest, of those with whom they share a channel',
  request: { headers: nearHeader.extend(knownHeader.shape), params: z.object({ id: idSchema }) },
  responses: { 200: json(profileSchema, 'The profile, with its version as ETag', PROFILE_EXAMPLE), 304: { description: 'The caller has it' } },
});

const list = apiRoute({ scope: 'channels:read', limit: 'read' }, '/v1/users', {
  method: 'get',
  summary: 'The users, by handle; to a guest, those with whom they share a channel',
  request: {
    query: z.object({
      q: storableString(MAX_PEOPLE_QUERY).optional().openapi({ description: `What is in the handle or the displayed name: the first ${MAX_WORDS} words count. Those that begin with the first come first`, example: 'ada' }),
      deactivated: z.enum(['true', 'false']).optional().openapi({ description: 'Those that are deactivated, too: for administrators' }),
      limit: limitSchema,
      cursor: cursorSchema,
    }),
  },
  responses: { 200: json(userPageSchema, 'A page of users', { data: [PROFILE_EXAMPLE], next_cursor: null }) },
});

export function userRoutes({ profiles, redisBreaker }: Pick<Services, 'profiles' | 'redisBreaker'>): App {
  const app = new OpenAPIHono<AppEnv>();

  app.openapi(list, async (c) => {
    const { q = '', deactivated = 'false', limit, cursor } = c.req.valid('query');
    const name = `users ${checksum(`${deactivated} ${q}`)}`;
    const page = { terms: q.split(/\s+/u).filter((word) => word !== '').slice(0, MAX_WORDS), withDeactivated: deactivated === 'true', after: cursor === undefined ? null : decodePlace(name, cursor), limit };
    const found = unwrap(await withPostgres(c, (db) => listUsers(db, c.get('identity').actor.credential_id, page)));
    const { data, next_cursor } = listingOf(c, found, limit, ({ rank, handle }) => encodeCursor(name, `${rank} ${handle}`));
    return c.json({ data: data.map(({ user }) => user), next_cursor }, 200);
  });

  app.openapi(read, async (c) => {
    const { actor, user: caller } = c.get('identity');
    const { id } = c.req.valid('param');
    // What a guest may know is never answered from a cache. That they are one is known as long as who they are: 5 s.
    if (caller.role === 'guest' && !unwrap(await withPostgres(c, (db) => maySeeUser(db, actor.credential_id, id)))) throw new ProblemError({ code: 'not_found' });
    const later = (work: Promise<unknown>) => c.executionCtx.waitUntil(work);
    const fresh = c.req.raw.headers.has(CONSISTENCY_HEADER);
    const load = (wanted: string) => withPostgres(c, (db) => findUser(db, wanted));
    const user = await profiles.find(id, { shared: redisLevel(c.env, redisBreaker, later), load, later, fresh });
    if (!user) throw new ProblemError({ code: 'not_found' });
    const etag = etagOf(user);
    return isKnown(c, etag) ? c.body(null, 304, { ETag: etag }) : c.json(user, 200, { ETag: etag });
  });

  return app;
}
