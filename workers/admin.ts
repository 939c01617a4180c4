import type { Context } from 'hono';
import type { Database, Queryable } from '../db/client.ts';
import { findMe } from '../db/queries/users.ts';
import type { Outcome } from '../protocol/errors.ts';
import type { AppEnv } from './env.ts';
import { withPostgres } from './postgres.ts';
import { unwrap } from './problems.ts';

/** Whether the caller is an administrator now, by the role in Postgres; else the problem. */
export async function isAdmin(c: Context<AppEnv>, db: Queryable): Promise<Outcome<true>> {
  const me = await findMe(db, c.get('identity').actor.credential_id);
  if ('problem' in me) return me;
  return me.ok.role === 'admin' ? { ok: true } : { problem: { code: 'forbidden', detail: 'this is for administrators' } };
}

/** Reads for an administrator; throws the problem for anybody else. */
export const asAdmin = <T>(c: Context<AppEnv>, work: (db: Database) => Promise<T>): Promise<T> =>
  withPostgres(c, async (db) => {
    unwrap(await isAdmin(c, db));
    return work(db);
  });
