import { OpenAPIHono, z } from '@hono/zod-openapi';
import { findUser } from '../../db/queries/users.ts';
import { CONSISTENCY_HEADER } from '../../protocol/consistency.ts';
import { userSchema } from '../../protocol/api.ts';
import { idSchema } from '../../protocol/primitives.ts';
import { apiRoute, json, nearHeader } from '../api-route.ts';
import { redisLevel } from '../cache/redis-level.ts';
import type { App, AppEnv } from '../env.ts';
import { withPostgres } from '../postgres.ts';
import { ProblemError } from '../problems.ts';
import type { Services } from '../services.ts';

const read = apiRoute({ scope: 'channels:read', limit: 'read' }, '/v1/users/{id}', {
  method: 'get',
  summary: 'The profile of a user',
  request: { headers: nearHeader, params: z.object({ id: idSchema }) },
  responses: { 200: json(userSchema, 'The profile') },
});

export function userRoutes({ profiles, redisBreaker }: Pick<Services, 'profiles' | 'redisBreaker'>): App {
  const app = new OpenAPIHono<AppEnv>();
  app.openapi(read, async (c) => {
    const later = (work: Promise<unknown>) => c.executionCtx.waitUntil(work);
    const fresh = c.req.raw.headers.has(CONSISTENCY_HEADER);
    const load = (id: string) => withPostgres(c, (db) => findUser(db, id));
    const user = await profiles.find(c.req.valid('param').id, { shared: redisLevel(c.env, redisBreaker, later), load, later, fresh });
    if (!user) throw new ProblemError({ code: 'not_found' });
    return c.json(user, 200);
  });
  return app;
}
