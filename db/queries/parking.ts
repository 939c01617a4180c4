import type postgres from 'postgres';
import type { Topic } from '../../protocol/topics.ts';

type AnySql = postgres.ISql;

/** A key whose first record fails by its own fault; its later records queue behind it. Times are RFC 3339. */
export interface ParkedKey {
  readonly groupId: string;
  readonly topic: Topic;
  readonly key: string;
  /** Failed tries of the record that heads the queue, the first one included. 0: it has not been tried. */
  readonly attempts: number;
  readonly errorClass: string;
  readonly errorMessage: string;
  readonly firstFailedAt: string;
  readonly lastFailedAt: string;
  readonly nextRetryAt: string;
}

/** A record kept byte by byte. `headers` in the notation of `consumers/runtime/stored-headers.ts`. */
export interface StoredRecord {
  readonly partition: number;
  readonly offset: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
}

/** Which of `keys` are parked, holding them until the transaction ends, so that no retry empties a queue that is being added to. */
export async function lockParkedKeys(tx: AnySql, groupId: string, topic: Topic, keys: readonly string[]): Promise<Set<string>> {
  const rows = await tx<{ key: string }[]>`
    SELECT p.key::text AS key FROM parked_keys p
    WHERE p.group_id = ${groupId} AND p.topic = ${topic}
      AND p.key IN (SELECT k.key::uuid FROM json_array_elements_text(${JSON.stringify(keys)}::text::json) AS k (key))
    ORDER BY p.key FOR UPDATE`;
  return new Set(rows.map(({ key }) => key));
}

export async function insertParkedKeys(tx: AnySql, keys: readonly ParkedKey[]): Promise<void> {
  if (keys.length === 0) return;
  await tx`
    INSERT INTO parked_keys (group_id, topic, key, attempts, error_class, error_message, first_failed_at, last_failed_at, next_retry_at)
    SELECT r."groupId", r.topic, r.key, r.attempts, r."errorClass", r."errorMessage", r."firstFailedAt", r."lastFailedAt", r."nextRetryAt"
    FROM json_to_recordset(${JSON.stringify(keys)}::text::json) AS r ("groupId" text, topic text, key uuid, attempts integer,
      "errorClass" text, "errorMessage" text, "firstFailedAt" timestamptz, "lastFailedAt" timestamptz, "nextRetryAt" timestamptz)`;
}

/** Appends records to the queues of their keys, in the order given. */
export async function queueParkedRecords(
  tx: AnySql, groupId: string, topic: Topic, records: readonly { parkedKey: string; record: StoredRecord }[],
): Promise<void> {
  if (records.length === 0) return;
  const rows = records.map(({ parkedKey, record }) => ({ ...encodeRecord(record), parkedKey }));
  await tx`
    INSERT INTO parked_records (group_id, topic, key, partition, record_offset, record_key, record_value, headers)
    SELECT ${groupId}, ${topic}, (r.value ->> 'parkedKey')::uuid, (r.value ->> 'partition')::integer, r.value ->> 'offset',
      decode(r.value ->> 'key', 'base64'), decode(r.value ->> 'value', 'base64'), r.value -> 'headers'
    FROM jsonb_array_elements(${JSON.stringify(rows)}::text::jsonb) WITH ORDINALITY AS r (value, place) ORDER BY r.place`;
}

/** Bytes as base64, so that any number of records travels as one JSON parameter. */
export function encodeRecord({ partition, offset, key, value, headers }: StoredRecord) {
  return { partition, offset, key: key?.toString('base64') ?? null, value: value?.toString('base64') ?? null, headers };
}

/** Takes hold of one key of a group whose retry is due, for the rest of the transaction; null if none is, or others hold them. */
export async function claimDueKey(tx: AnySql, groupId: string, now: Date): Promise<ParkedKey | null> {
  const [key] = await tx<ParkedKey[]>`
    SELECT p.group_id AS "groupId", p.topic, p.key::text AS key, p.attempts, p.error_class AS "errorClass", p.error_message AS "errorMessage",
      to_json(p.first_failed_at) #>> '{}' AS "firstFailedAt", to_json(p.last_failed_at) #>> '{}' AS "lastFailedAt",
      to_json(p.next_retry_at) #>> '{}' AS "nextRetryAt"
    FROM parked_keys p WHERE p.group_id = ${groupId} AND p.next_retry_at <= ${now.toISOString()}::timestamptz
    ORDER BY p.next_retry_at LIMIT 1 FOR UPDATE SKIP LOCKED`;
  return key ?? null;
}

/** `deadLetterId`: the record is a dead letter that is redriven. */
export type ParkedRecord = StoredRecord & { readonly id: string; readonly deadLetterId: string | null };

/** The head of a parked key's queue, in the order of the log: a dead letter that is redriven stands before whatever came after it. */
export async function readParkedRecords(
  tx: AnySql, { groupId, topic, key }: Pick<ParkedKey, 'groupId' | 'topic' | 'key'>, limit: number,
): Promise<ParkedRecord[]> {
  return tx<ParkedRecord[]>`
    SELECT r.id::text AS id, r.dead_letter_id AS "deadLetterId", r.partition, r.record_offset AS offset, r.record_key AS key,
      r.record_value AS value, r.headers
    FROM parked_records r WHERE r.group_id = ${groupId} AND r.topic = ${topic} AND r.key = ${key}::uuid ORDER BY r.position, r.id LIMIT ${limit}`;
}

export async function deleteParkedRecords(tx: AnySql, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await tx`DELETE FROM parked_records r USING json_array_elements_text(${JSON.stringify(ids)}::text::json) AS d (id) WHERE r.id = d.id::bigint`;
}

/** Stores the outcome of a try of the record that now heads the queue. */
export async function saveParkedKey(tx: AnySql, parked: ParkedKey): Promise<void> {
  await tx`
    UPDATE parked_keys SET attempts = ${parked.attempts}, error_class = ${parked.errorClass}, error_message = ${parked.errorMessage},
      first_failed_at = ${parked.firstFailedAt}::timestamptz, last_failed_at = ${parked.lastFailedAt}::timestamptz,
      next_retry_at = ${parked.nextRetryAt}::timestamptz
    WHERE group_id = ${parked.groupId} AND topic = ${parked.topic} AND key = ${parked.key}::uuid`;
}

/** Lets a key go on; what is left of its queue goes with it. */
export async function deleteParkedKey(tx: AnySql, { groupId, topic, key }: ParkedKey): Promise<void> {
  await tx`DELETE FROM parked_keys WHERE group_id = ${groupId} AND topic = ${topic} AND key = ${key}::uuid`;
}

/** Parked keys of each group that has any. */
export async function countParkedKeys(sql: AnySql): Promise<{ groupId: string; keys: number }[]> {
  return sql<{ groupId: string; keys: number }[]>`
    SELECT p.group_id AS "groupId", count(*)::integer AS keys FROM parked_keys p GROUP BY p.group_id`;
}
