import { insertToken } from '../cli/token.ts';
import type { Connection } from '../db/client.ts';
import { signIn } from '../db/queries/users.ts';
import { scopeSchema } from '../protocol/scopes.ts';

/** A user of the bench with a token of every scope. */
export interface Account {
  readonly userId: string;
  readonly token: string;
}

export async function createAccount({ db }: Connection, handle: string): Promise<Account> {
  const now = new Date();
  const outcome = await db.transaction((tx) => signIn(tx, { issuer: 'bench', subject: handle, handles: [handle], display_name: handle }, now));
  if (!('ok' in outcome)) throw new Error(`no user ${handle}: ${outcome.problem.code}`);
  const token = await insertToken(db, { user: handle, scopes: scopeSchema.options, days: 1, name: 'bench' }, now);
  return { userId: outcome.ok.user.id, token };
}
