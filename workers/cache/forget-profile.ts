import type { Context } from 'hono';
import type { AppEnv } from '../env.ts';
import type { Services } from '../services.ts';
import { redisLevel } from './redis-level.ts';

/** To be called after the commit, before the answer: from then on no isolate shows the user as they were for more than five seconds. Where it fails the fleet repeats it. */
export async function forgetProfile(c: Context<AppEnv>, { profiles, redisBreaker }: Pick<Services, 'profiles' | 'redisBreaker'>, userId: string): Promise<void> {
  await redisLevel(c.env, redisBreaker, (work) => c.executionCtx.waitUntil(work))?.forget(userId);
  profiles.forget(userId);
}
