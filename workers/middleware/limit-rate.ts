import { problemResponse } from '../problems.ts';
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
  const { binding, quota, window } = POLICIES[name];
  const policy = `"${name}";q=${quota};w=${window}`;
  const exhausted = { RateLimit: `"${name}";r=0;t=${window}` };
  return async (c) => {
    c.get('answer').headers['RateLimit-Policy'] = policy;
    const { success } = await c.env[binding].limit({ key: c.get('identity').actor.user_id });
    if (success) return null;
    return problemResponse(c, { code: 'rate_limited', retry_after: window }, exhausted);
  };
}
