import { eq } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import type { Outcome } from '../protocol/errors.ts';
import type { Database, Transaction } from './client.ts';
import { createChannel, findGeneralChannel } from './queries/channels.ts';
import { insertCredential } from './queries/credentials.ts';
import { moveLoopbackUsers } from './queries/loopback-users.ts';
import { enrol } from './queries/members.ts';
import { signIn } from './queries/users.ts';
import { credentials } from './schema/tables.ts';

export interface DemoAccount {
  /** Also its subject at the issuer. */
  readonly handle: string;
  readonly name: string;
}

/** Accounts of the development identity provider and a `#general` with all of them; the first one owns it. Repeating it changes nothing. */
export async function seed(db: Database, issuer: string, accounts: readonly DemoAccount[], now: Date): Promise<void> {
  await db.transaction(async (tx) => {
    await moveLoopbackUsers(tx, issuer);
    const userIds: string[] = [];
    for (const account of accounts) userIds.push(await seedUser(tx, issuer, account, now));
    const [owner] = userIds;
    if (owner === undefined) return;
    const channelId = (await findGeneralChannel(tx)) ?? (await seedGeneral(tx, owner, now));
    for (const userId of userIds) await enrol(tx, { channelId, userId, actorId: owner, eventId: uuidv7(), now, traceparent: null });
  });
}

function okOrThrow<T>(outcome: Outcome<T>): T {
  if ('problem' in outcome) throw new Error(`seeding: ${outcome.problem.detail ?? outcome.problem.code}`);
  return outcome.ok;
}

async function seedUser(tx: Transaction, issuer: string, { handle, name }: DemoAccount, now: Date): Promise<string> {
  const { user } = okOrThrow(await signIn(tx, { issuer, subject: handle, handles: [handle], display_name: name }, now));
  return user.id;
}

/** A channel is made by the holder of a credential: of this one nobody has the secret, and it ends with the transaction. */
async function seedGeneral(tx: Transaction, owner: string, now: Date): Promise<string> {
  const id = uuidv7();
  const secret_hash = crypto.getRandomValues(new Uint8Array(32));
  const expires_at = new Date(now.getTime() + 60_000);
  await insertCredential(tx, { id, secret_hash, kind: 'personal', user_id: owner, name: 'seed', scopes: [], expires_at });
  const channel = okOrThrow(await createChannel(tx, { credential_id: id, user_id: owner }, { name: 'general', kind: 'public', topic: '' }, { eventId: uuidv7(), now, traceparent: null }));
  await tx.update(credentials).set({ revoked_at: now }).where(eq(credentials.id, id));
  return channel.id;
}
