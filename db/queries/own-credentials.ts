import { sql } from 'drizzle-orm';
import type { Credential } from '../../protocol/credentials.ts';
import type { Outcome } from '../../protocol/errors.ts';
import type { Queryable, Transaction } from '../client.ts';
import { callerRow } from './access.ts';
import { recordAct } from './audit.ts';
import { insertCredential, type NewCredential } from './credentials.ts';
import { wireTime } from './time.ts';

/** Live tokens of one user at a time, and the longest list of credentials. */
const MAX_TOKENS = 100;
const MAX_LISTED = 500;

type Row = { [K in keyof Credential]: Credential[K] };

/** The caller's live credentials, newest first. */
export async function listOwnCredentials(db: Queryable, credentialId: string): Promise<Outcome<Credential[]>> {
  const rows = await db.execute<Row>(sql`
    SELECT c.id, c.kind, c.name, to_json(c.scopes) AS scopes, ${wireTime(sql`c.created_at`)} AS created_at, ${wireTime(sql`c.last_used_at`)} AS last_used_at,
      ${wireTime(sql`c.expires_at`)} AS expires_at, c.id = ${credentialId} AS current
    FROM (${callerRow(credentialId)}) me JOIN credentials c ON c.user_id = me.id AND c.revoked_at IS NULL AND c.expires_at > now()
    ORDER BY c.created_at DESC, c.id DESC LIMIT ${MAX_LISTED}`);
  // The caller's own is always there while it lives.
  if (rows.length === 0) return { problem: { code: 'unauthenticated' } };
  return { ok: rows.map((row) => ({ ...row })) };
}

/** A token for the caller. `conflict` where they have as many as one may. */
export async function addOwnToken(tx: Transaction, credentialId: string, token: NewCredential): Promise<Outcome<true>> {
  const [me] = await tx.execute<{ id: string }>(callerRow(credentialId));
  return me ? addToken(tx, token) : { problem: { code: 'unauthenticated' } };
}

/** The user's row is locked before the tokens are counted, so that two at once do not both take the last place. */
export async function addToken(tx: Transaction, token: NewCredential): Promise<Outcome<true>> {
  const [user] = await tx.execute(sql`SELECT u.id FROM users u WHERE u.id = ${token.user_id} AND u.deactivated_at IS NULL FOR NO KEY UPDATE`);
  if (!user) return { problem: { code: 'not_found' } };
  const [row] = await tx.execute<{ tokens: string }>(sql`
    SELECT count(*) AS tokens FROM credentials c
    WHERE c.user_id = ${token.user_id} AND c.kind IN ('personal', 'bot') AND c.revoked_at IS NULL AND c.expires_at > now()`);
  if (Number(row?.tokens) >= MAX_TOKENS) return { problem: { code: 'conflict', detail: `a user has at most ${MAX_TOKENS} tokens: revoke one first` } };
  await insertCredential(tx, token);
  await recordCredential(tx, token);
  return { ok: true };
}

/** A token that was made, in the audit log: by its user, where nobody else is said to act. */
export function recordCredential(tx: Transaction, { id, kind, user_id, name, scopes, expires_at }: NewCredential): Promise<void> {
  const details = { user_id, kind, name, scopes, expires_at: expires_at.toISOString() };
  return recordAct(tx, { act: 'credential.created', target: ['credential', id], details }, { actorId: user_id });
}
