import type postgres from 'postgres';
import type { Topic } from '../../protocol/topics.ts';
import { encodeRecord, type StoredRecord } from './parking.ts';

type AnySql = postgres.ISql;

/** A record a group gave up. Times are RFC 3339. */
export interface DeadLetter {
  readonly groupId: string;
  readonly topic: Topic;
  readonly record: StoredRecord;
  readonly errorClass: string;
  readonly errorMessage: string;
  readonly attempts: number;
  readonly firstFailedAt: string;
  readonly lastFailedAt: string;
}

export async function insertDeadLetters(tx: AnySql, letters: readonly DeadLetter[]): Promise<void> {
  if (letters.length === 0) return;
  const rows = letters.map(({ record, ...letter }) => ({ ...letter, ...encodeRecord(record) }));
  await tx`
    INSERT INTO dead_letters (stage, group_id, topic, partition, record_offset, record_key, record_value, headers,
      error_class, error_message, attempts, first_failed_at, last_failed_at)
    SELECT 'consumer', r."groupId", r.topic, r.partition, r."offset", decode(r.key, 'base64'), decode(r.value, 'base64'), r.headers,
      r."errorClass", r."errorMessage", r.attempts, r."firstFailedAt", r."lastFailedAt"
    FROM json_to_recordset(${JSON.stringify(rows)}::text::json) AS r ("groupId" text, topic text, partition integer, "offset" text,
      key text, value text, headers jsonb, "errorClass" text, "errorMessage" text, attempts integer,
      "firstFailedAt" timestamptz, "lastFailedAt" timestamptz)`;
}

/** A dead letter that is still to be produced to `dlq.<topic>`. What the drain gave up has no group, partition or offset. */
export interface OwedDeadLetter {
  readonly id: string;
  readonly version: number;
  readonly stage: 'drain' | 'consumer';
  readonly groupId: string | null;
  readonly topic: Topic;
  readonly partition: number | null;
  readonly offset: string | null;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly errorClass: string;
  readonly errorMessage: string;
  readonly attempts: number;
  readonly firstFailedAt: string;
  readonly lastFailedAt: string;
}

/**
 * The oldest dead letters still owed to the topic; none while another transaction publishes. The rows themselves stay free: a broker that does
 * not answer must not keep anybody from redriving, editing or discarding them.
 */
export async function claimOwedDeadLetters(tx: AnySql, limit: number): Promise<OwedDeadLetter[]> {
  const [lock] = await tx<[{ held: boolean }]>`SELECT pg_try_advisory_xact_lock(hashtextextended('colink.dead-letter-publisher', 0)) AS held`;
  if (!lock.held) return [];
  return tx<OwedDeadLetter[]>`
    SELECT d.id::text AS id, d.version, d.stage, d.group_id AS "groupId", d.topic, d.partition, d.record_offset AS offset, d.record_key AS key,
      d.record_value AS value, d.headers, d.error_class AS "errorClass", d.error_message AS "errorMessage", d.attempts,
      to_json(d.first_failed_at) #>> '{}' AS "firstFailedAt", to_json(d.last_failed_at) #>> '{}' AS "lastFailedAt"
    FROM dead_letters d WHERE d.published_at IS NULL ORDER BY d.last_failed_at LIMIT ${limit}`;
}

/** What has changed meanwhile stays owed: it may have failed again. */
export async function markPublished(tx: AnySql, letters: readonly Pick<OwedDeadLetter, 'id' | 'version'>[]): Promise<void> {
  await tx`
    UPDATE dead_letters d SET published_at = now()
    FROM json_to_recordset(${JSON.stringify(letters.map(({ id, version }) => ({ id, version })))}::text::json) AS p (id uuid, version integer)
    WHERE d.id = p.id AND d.version = p.version`;
}

/** What became of a dead letter that was redriven; `failure` null: its group took it. Times are RFC 3339. */
export interface RedriveOutcome {
  readonly id: string;
  readonly failure: Pick<DeadLetter, 'errorClass' | 'errorMessage' | 'lastFailedAt'> | null;
}

/**
 * A letter that failed again is pending again, with the new failure, and is owed to its topic once more. The act keeps the kind of the error alone: acts stay
 * for ever, and an error may quote what was written.
 */
export async function settleRedriven(tx: AnySql, groupId: string, outcomes: readonly RedriveOutcome[]): Promise<void> {
  if (outcomes.length === 0) return;
  const rows = JSON.stringify(outcomes.map(({ id, failure }) => ({ id, ...failure })));
  await tx`
    WITH outcome AS (
      SELECT r.id, r."errorClass" AS class, r."errorMessage" AS message, r."lastFailedAt" AS at
      FROM json_to_recordset(${rows}::text::json) AS r (id uuid, "errorClass" text, "errorMessage" text, "lastFailedAt" timestamptz)
    ), succeeded AS (
      UPDATE dead_letters d SET status = 'redriven', version = d.version + 1 FROM outcome o WHERE d.id = o.id AND o.class IS NULL
    ), failed AS (
      UPDATE dead_letters d SET status = 'pending', version = d.version + 1, attempts = d.attempts + 1, error_class = o.class,
        error_message = o.message, last_failed_at = o.at, published_at = NULL
      FROM outcome o WHERE d.id = o.id AND o.class IS NOT NULL
    )
    INSERT INTO dead_letter_acts (dead_letter_id, actor, act, detail)
    SELECT o.id, ${`group:${groupId}`}, CASE WHEN o.class IS NULL THEN 'succeed' ELSE 'fail' END,
      jsonb_strip_nulls(jsonb_build_object('error_class', o.class))
    FROM outcome o`;
}

/** Dead letters nobody has redriven or discarded yet, by topic and group (`drain` for what the drain gave up). */
export async function countPendingDeadLetters(sql: AnySql): Promise<{ topic: Topic; groupId: string; letters: number }[]> {
  return sql<{ topic: Topic; groupId: string; letters: number }[]>`
    SELECT d.topic, coalesce(d.group_id, 'drain') AS "groupId", count(*)::integer AS letters
    FROM dead_letters d WHERE d.status = 'pending' GROUP BY 1, 2`;
}
