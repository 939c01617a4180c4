import { createHash, randomBytes } from 'node:crypto';
import { uuidv7 } from 'uuidv7';
import type { Connection } from '../db/client.ts';
import { insertCredential } from '../db/queries/credentials.ts';
import { signIn } from '../db/queries/users.ts';
import { scopeSchema } from '../protocol/scopes.ts';

/** A user of the bench with a token of every scope, valid for a day. */
export interface Account {
  readonly userId: string;
  readonly token: string;
}

export async function createAccount({ db }: Connection, name: string): Promise<Account> {
  const now = new Date();
  const outcome = await db.transaction((tx) => signIn(tx, { issuer: 'bench', subject: name, handles: [name], display_name: name }, now));
  if (!('ok' in outcome)) throw new Error(`no user ${name}: ${outcome.problem.code}`);
  const userId = outcome.ok.user.id;
  const token = `colink_pat_${randomBytes(32).toString('base64url')}`;
  const secret_hash = createHash('sha256').update(token).digest();
  await insertCredential(db, { id: uuidv7(), secret_hash, kind: 'personal', user_id: userId, name: 'bench', scopes: scopeSchema.options, expires_at: new Date(now.getTime() + 86_400_000) });
  return { userId, token };
}
