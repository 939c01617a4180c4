import type { Context } from 'hono';
import type { AppEnv } from './env.ts';
import { ProblemError } from './problems.ts';
import { sameText } from './same-text.ts';

/** Throws `not_found` for everybody but the consumer fleet: without the secret `FLEET_TOKEN` there is nothing here. */
export function refuseOthers(c: Context<AppEnv>): void {
  const { FLEET_TOKEN: token } = c.env;
  if (!token || !sameText(c.req.raw.headers.get('authorization') ?? '', `Bearer ${token}`)) throw new ProblemError({ code: 'not_found' });
}
