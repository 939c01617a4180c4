import { sql, type SQL } from 'drizzle-orm';
import { type AuditAct, type AuditFilter, type AuditHead, type AuditRow, type AuditTarget, NO_AUDIT_HEAD } from '../../protocol/audit.ts';
import type { Queryable, Transaction } from '../client.ts';
import { wireTime } from './time.ts';

/** What is told of an act beside who and whom: ids, names and numbers, never what somebody wrote in a conversation. */
type Details = Readonly<Record<string, string | number | boolean | null | readonly string[]>>;

export interface Act {
  readonly act: AuditAct;
  readonly target: readonly [AuditTarget, string | null];
  readonly details?: Details;
}

/** Who acts: a user by their credential, in a request; or, by name, somebody who works on the database itself. */
export interface Acting {
  readonly actorId?: string;
  readonly actorName?: string;
  readonly credentialId?: string;
  readonly requestId?: string;
}

/** Says who acts in the rest of the transaction, for `recordAct`. */
export async function actAs(tx: Transaction, { actorId = '', actorName = '', credentialId = '', requestId = '' }: Acting): Promise<void> {
  await tx.execute(sql`
    SELECT set_config('colink.actor_id', ${actorId}, true), set_config('colink.actor_name', ${actorName}, true),
      set_config('colink.credential_id', ${credentialId}, true), set_config('colink.request_id', ${requestId}, true)`);
}

/**
 * Notes an act in the audit log, to be called by the very transaction that does it: at commit the row is sealed into the chain, or the commit fails. `otherwise` acts where
 * the transaction has not been told who does; where nobody acts it fails.
 */
export async function recordAct(tx: Transaction, { act, target: [kind, id], details = {} }: Act, otherwise: Pick<Acting, 'actorId' | 'actorName' | 'credentialId'> = {}): Promise<void> {
  const { actorId = null, actorName = null, credentialId = null } = otherwise;
  await tx.execute(sql`
    WITH told AS (
      SELECT ${setting('actor_id')}::uuid AS actor_id, ${setting('actor_name')} AS actor_name, ${setting('credential_id')}::uuid AS credential_id, ${setting('request_id')} AS request_id
    )
    INSERT INTO audit_intake (act, target_kind, target_id, details, actor_id, actor_name, credential_id, request_id)
    SELECT ${act}, ${kind}, ${id}, ${JSON.stringify(details)}::text::json,
      CASE WHEN is_told THEN t.actor_id ELSE ${actorId}::uuid END, CASE WHEN is_told THEN t.actor_name ELSE ${actorName} END,
      CASE WHEN is_told THEN t.credential_id ELSE ${credentialId}::uuid END, t.request_id
    FROM told t, LATERAL (SELECT num_nonnulls(t.actor_id, t.actor_name) > 0 AS is_told) s`);
}

/** Null before `actAs`, and after it for what it left empty. */
const setting = (name: string): SQL => sql`nullif(current_setting(${`colink.${name}`}, true), '')`;

const rowColumns = sql`a.seq::float8 AS seq, ${wireTime(sql`a.at`)} AS at, a.act, a.actor_id, a.actor_name, a.credential_id, a.target_kind, a.target_id,
  a.details::text AS details, a.request_id, encode(a.previous_hash, 'hex') AS previous_hash, encode(a.hash, 'hex') AS hash`;

type Row = { [K in keyof AuditRow]: AuditRow[K] };

/** The newest first, below the number `below` (null: from the newest on). */
export async function listAudit(db: Queryable, { actor, act, target, since, until }: AuditFilter, below: number | null, limit: number): Promise<AuditRow[]> {
  const conditions = [
    sql`true`,
    ...(below === null ? [] : [sql`a.seq < ${below}`]),
    ...(actor === undefined ? [] : [sql`a.actor_id = ${actor}`]),
    ...(act === undefined ? [] : [sql`a.act = ${act}`]),
    ...(target === undefined ? [] : [sql`a.target_id = ${target}`]),
    // Time never goes back along the chain, so a time is a place in it.
    ...(since === undefined ? [] : [sql`a.seq >= (SELECT f.seq FROM audit_log f WHERE f.at >= ${since}::timestamptz ORDER BY f.at, f.seq LIMIT 1)`]),
    ...(until === undefined ? [] : [sql`a.seq <= (SELECT l.seq FROM audit_log l WHERE l.at < ${until}::timestamptz ORDER BY l.at DESC, l.seq DESC LIMIT 1)`]),
  ];
  return [...(await db.execute<Row>(sql`SELECT ${rowColumns} FROM audit_log a WHERE ${sql.join(conditions, sql` AND `)} ORDER BY a.seq DESC LIMIT ${limit}`))];
}

/** In the order of the chain, behind the number `after`. */
export async function readAudit(db: Queryable, after: number, limit: number): Promise<AuditRow[]> {
  return [...(await db.execute<Row>(sql`SELECT ${rowColumns} FROM audit_log a WHERE a.seq > ${after} ORDER BY a.seq LIMIT ${limit}`))];
}

export async function findAuditHead(db: Queryable): Promise<AuditHead> {
  const [head] = await db.execute<{ seq: number; hash: string }>(sql`
    SELECT a.seq::float8 AS seq, encode(a.hash, 'hex') AS hash FROM audit_log a ORDER BY a.seq DESC LIMIT 1`);
  return head ? { ...head } : NO_AUDIT_HEAD;
}
