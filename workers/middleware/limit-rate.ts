import type { Context } from 'hono';
import type { AppEnv } from '../env.ts';
import { type ProblemError, problemResponse } from '../problems.ts';
import type { Guard } from './guard.ts';

/** Requests a user may make in `window` seconds, as `wrangler.toml` sets them for the platform, which counts them. */
export const POLICIES = {
  send: { binding: 'LIMIT_SEND', quota: 600, window: 60 },
  read: { binding: 'LIMIT_READ', quota: 1_200, window: 60 },
} as const;
export type PolicyName = keyof typeof POLICIES;

/**
 * 429 past the policy's quota, counted by user. The platform tells only whether a request is within, so `RateLimit` (which says what is left) goes with
 * refusals alone; `RateLimit-Policy` goes with every answer (draft-ietf-httpapi-ratelimit-headers-10).
 */
export function limitRate(name: PolicyName): Guard {
  return async (c) => {
    const excess = await findExcess(c, name);
    return excess && problemResponse(c, excess.problem, excess.headers);
  };
}

/** Counts a request of the caller; what it is refused with past the quota, or null. */
export async function findExcess(c: Context<AppEnv>, name: PolicyName): Promise<Pick<ProblemError, 'problem' | 'headers'> | null> {
  const { binding, quota, window } = POLICIES[name];
  c.get('answer').headers['RateLimit-Policy'] = `"${name}";q=${quota};w=${window}`;
  const { success } = await c.env[binding].limit({ key: c.get('identity').actor.user_id });
  if (success) return null;
  return { problem: { code: 'rate_limited', retry_after: window }, headers: { RateLimit: `"${name}";r=0;t=${window}` } };
}
