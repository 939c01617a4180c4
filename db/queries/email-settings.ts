import { sql } from 'drizzle-orm';
import type { DigestMode, EmailSettings, EmailSettingsBody } from '../../protocol/email.ts';
import type { Outcome } from '../../protocol/errors.ts';
import type { Queryable, Transaction } from '../client.ts';
import { callerRow } from './access.ts';
import { lockSettingsOf } from './notification-settings.ts';

type Row = { mode: DigestMode | null; after_minutes: number | null; daily_hour: number | null; address: string | null; version: number | null; [column: string]: unknown };

/** The caller's own; where they never made any, the defaults. */
export async function findEmailSettings(db: Queryable, credentialId: string): Promise<Outcome<EmailSettings>> {
  const [row] = await db.execute<Row>(sql`
    SELECT e.mode, e.after_minutes, e.daily_hour, e.address, e.version FROM (${callerRow(credentialId)}) me LEFT JOIN email_digests e ON e.user_id = me.id`);
  if (row === undefined) return { problem: { code: 'unauthenticated' } };
  return { ok: { mode: row.mode ?? 'off', after_minutes: row.after_minutes ?? 15, daily_hour: row.daily_hour ?? 8, address: row.address, version: row.version ?? 0 } };
}

/** Changes what the body names. `precondition_failed`: the settings have another version. Whoever wants mails from now on is mailed nothing of before. */
export async function changeEmailSettings(
  tx: Transaction,
  { credentialId, userId, expected }: { readonly credentialId: string; readonly userId: string; readonly expected: number },
  body: EmailSettingsBody,
): Promise<Outcome<EmailSettings>> {
  await lockSettingsOf(tx, userId);
  await tx.execute(sql`INSERT INTO email_digests (user_id) SELECT me.id FROM (${callerRow(credentialId)}) me ON CONFLICT (user_id) DO NOTHING`);
  await tx.execute(sql`SELECT FROM email_digests e WHERE e.user_id = ${userId} FOR NO KEY UPDATE`);
  const found = await findEmailSettings(tx, credentialId);
  if ('problem' in found) return found;
  if (found.ok.version !== expected) return { problem: { code: 'precondition_failed' } };
  const { mode = found.ok.mode, after_minutes = found.ok.after_minutes, daily_hour = found.ok.daily_hour } = body;
  const isBeginning = found.ok.mode === 'off' && mode !== 'off';
  // What was reckoned by the old settings is reckoned anew; who sends at this moment does that anyway.
  await tx.execute(sql`
    UPDATE email_digests e SET mode = ${mode}, after_minutes = ${after_minutes}, daily_hour = ${daily_hour}, version = e.version + 1,
      due_at = CASE WHEN e.lease IS NOT NULL OR e.due_at IS NULL THEN e.due_at ELSE now() END,
      mailed_seq = CASE WHEN ${isBeginning} THEN greatest(e.mailed_seq, coalesce((SELECT max(n.seq) FROM notifications n WHERE n.user_id = e.user_id), 0)) ELSE e.mailed_seq END
    WHERE e.user_id = ${userId}`);
  return findEmailSettings(tx, credentialId);
}

/** Ends a user's digests, by the link in one of them. */
export async function unsubscribe(db: Queryable, userId: string): Promise<void> {
  await db.execute(sql`UPDATE email_digests e SET mode = 'off', version = e.version + 1 WHERE e.user_id = ${userId} AND e.mode <> 'off'`);
}

/** Keeps what the identity provider says of a user's address; null: it vouches for none any more. */
export async function keepAddress(tx: Transaction, userId: string, address: string | null): Promise<void> {
  await tx.execute(sql`
    INSERT INTO email_digests AS e (user_id, address) VALUES (${userId}, ${address}) ON CONFLICT (user_id) DO UPDATE SET address = excluded.address
    WHERE e.address IS DISTINCT FROM excluded.address`);
}

/** For whoever is to be forgotten. */
export async function forgetAddress(tx: Transaction, userId: string): Promise<void> {
  await tx.execute(sql`UPDATE email_digests e SET address = NULL, mode = 'off' WHERE e.user_id = ${userId}`);
}
