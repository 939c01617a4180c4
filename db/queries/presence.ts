import { sql as fragment } from 'drizzle-orm';
import type postgres from 'postgres';
import type { MyPresence, PresenceBody } from '../../protocol/api.ts';
import type { Outcome } from '../../protocol/errors.ts';
import type { PresenceChoice, PresenceEvent } from '../../protocol/presence.ts';
import { ceType } from '../../protocol/topics.ts';
import type { Queryable, Sql, Transaction } from '../client.ts';
import { callerRow } from './access.ts';
import { wireTime } from './time.ts';

type Tx = postgres.TransactionSql;

type Row = { choice: PresenceChoice | null; text: string | null; emoji: string | null; expires_at: string | null; version: number | null };

const UNCHOSEN: MyPresence = { choice: 'auto', status: null, version: 0 };

function presenceOf(row: Row | undefined): MyPresence {
  if (row === undefined || row.choice === null || row.version === null) return UNCHOSEN;
  const { choice, text, emoji, expires_at, version } = row;
  return { choice, status: text === null ? null : { text, emoji, expires_at }, version };
}

/** What a user chose, for their own inbox. A status that has ended is still in it. */
export async function inboxWish(sql: Tx, userId: string): Promise<MyPresence> {
  const [row] = await sql<Row[]>`
    SELECT p.choice, p.status_text AS text, p.status_emoji AS emoji, p.version,
      to_char(p.status_expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS expires_at
    FROM user_presence p WHERE p.user_id = ${userId}`;
  return presenceOf(row);
}

/** What the caller chose. A status that has ended is none. `version` 0: they never chose. */
export async function findMyPresence(db: Queryable, credentialId: string): Promise<Outcome<MyPresence>> {
  const [row] = await db.execute<Row & { [column: string]: unknown }>(fragment`
    SELECT p.choice, p.version, s.status_text AS text, s.status_emoji AS emoji, ${wireTime(fragment`s.status_expires_at`)} AS expires_at
    FROM (${callerRow(credentialId)}) me LEFT JOIN user_presence p ON p.user_id = me.id
    LEFT JOIN user_presence s ON s.user_id = me.id AND (s.status_expires_at IS NULL OR s.status_expires_at > now())`);
  return row === undefined ? { problem: { code: 'unauthenticated' } } : { ok: presenceOf(row) };
}

/** Replaces what the caller chose. `expected`: only if this is the version; null: whatever it is. */
export async function setMyPresence(tx: Transaction, credentialId: string, { choice, status }: PresenceBody, expected: number | null): Promise<Outcome<MyPresence>> {
  const [row] = await tx.execute<{ version: number | null; [column: string]: unknown }>(fragment`
    WITH me AS (${callerRow(credentialId)}),
    written AS (
      INSERT INTO user_presence AS p (user_id, choice, status_text, status_emoji, status_expires_at)
      SELECT me.id, ${choice}, ${status?.text ?? null}, ${status?.emoji ?? null}, ${status?.expires_at ?? null}::timestamptz FROM me
      WHERE ${expected}::integer IS NULL OR ${expected}::integer = coalesce((SELECT o.version FROM user_presence o WHERE o.user_id = me.id), 0)
      ON CONFLICT (user_id) DO UPDATE SET choice = excluded.choice, status_text = excluded.status_text, status_emoji = excluded.status_emoji,
        status_expires_at = excluded.status_expires_at, version = p.version + 1
      WHERE ${expected}::integer IS NULL OR ${expected}::integer = p.version
      RETURNING p.version
    )
    SELECT written.version FROM me LEFT JOIN written ON true`);
  if (row === undefined) return { problem: { code: 'unauthenticated' } };
  return row.version === null ? { problem: { code: 'precondition_failed' } } : { ok: { choice, status, version: row.version } };
}

/** A transition that others were told of, for `presence.events`. */
export async function appendPresenceEvent(sql: Sql, event: PresenceEvent): Promise<void> {
  await sql`
    INSERT INTO event_log (topic, key, event_id, type, data)
    VALUES ('presence.events', ${event.user_id}, ${event.id}, ${ceType(event.type)}, ${JSON.stringify(event)}::text::jsonb)`;
}
