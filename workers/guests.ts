import type { Context } from 'hono';
import { findStandings } from '../db/queries/access.ts';
import type { Problem } from '../protocol/errors.ts';
import type { AppEnv } from './env.ts';
import type { Identity } from './identity/identity.ts';
import { withPostgres } from './postgres.ts';
import { ProblemError } from './problems.ts';

/**
 * A room's refusal as its caller may hear it. Rooms know members and no roles of users, and tell whoever is no member of a public channel so; to a guest
 * such a channel is none (G5). Where that cannot be looked up, it is none as well.
 */
export async function refusalFor(c: Context<AppEnv>, credentialId: string, problem: Problem): Promise<Problem> {
  if (problem.code !== 'not_a_member') return problem;
  const caller = await withPostgres(c, (db) => findStandings(db, credentialId, [])).catch(() => null);
  return caller === null || caller.user_role === 'guest' ? { code: 'not_found' } : problem;
}

/** The same for whatever a route has thrown. The upgrade of a socket authenticates by itself, and has asked already. */
export async function failureFor(c: Context<AppEnv>, error: Error): Promise<Error> {
  if (!(error instanceof ProblemError) || error.problem.code !== 'not_a_member') return error;
  const identity: Identity | undefined = c.get('identity');
  return identity === undefined ? error : new ProblemError(await refusalFor(c, identity.actor.credential_id, error.problem));
}
