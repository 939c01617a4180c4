import { sql, type SQL } from 'drizzle-orm';
import type { DeadLetter, DeadLetterAct, DeadLetterFilter, DeadLetterTally, StoredHeaders } from '../../protocol/dead-letters.ts';
import type { Queryable } from '../client.ts';
import { escaped, filtered } from './dead-letter-selection.ts';
import { wireTime } from './time.ts';

const MOST_KEY = 100;

const summaryColumns: SQL = sql`d.id, d.status, d.stage, d.group_id AS "group", d.topic, d.partition, d.record_offset AS "offset",
  left(${escaped(sql`d.record_key`)}, ${MOST_KEY}) AS key, octet_length(d.record_value) AS value_bytes, d.error_class, d.error_message, d.attempts,
  ${wireTime(sql`d.first_failed_at`)} AS first_failed_at, ${wireTime(sql`d.last_failed_at`)} AS last_failed_at,
  num_nonnulls(d.edited_key, d.edited_value, d.edited_headers) > 0 AS edited, d.version, d.number::float8 AS number`;

/** Rows come as `Record`s of the driver's; `number` is what lists page by. */
export type NumberedLetter = { [K in keyof DeadLetter]: DeadLetter[K] } & { readonly number: number };

/** The newest first, below the number `below` (null: from the newest on). */
export async function listDeadLetters(db: Queryable, filter: DeadLetterFilter, below: number | null, limit: number): Promise<NumberedLetter[]> {
  const rows = await db.execute<NumberedLetter>(sql`
    SELECT ${summaryColumns} FROM dead_letters d
    WHERE ${filtered(filter)} AND ${below === null ? sql`true` : sql`d.number < ${below}`} ORDER BY d.number DESC LIMIT ${limit}`);
  return [...rows];
}

/** A letter with its bytes: as they came, and as they were edited (null: not). */
export type WholeLetter = NumberedLetter & {
  readonly record_key: Uint8Array | null;
  readonly record_value: Uint8Array | null;
  readonly headers: StoredHeaders;
  readonly edited_key: Uint8Array | null;
  readonly edited_value: Uint8Array | null;
  readonly edited_headers: StoredHeaders | null;
};

const wholeColumns: SQL = sql`${summaryColumns}, d.record_key, d.record_value, d.headers, d.edited_key, d.edited_value, d.edited_headers`;

/** `lock`: held until the transaction ends. */
export async function findDeadLetter(db: Queryable, id: string, lock = false): Promise<WholeLetter | null> {
  const [row] = await db.execute<WholeLetter>(sql`SELECT ${wholeColumns} FROM dead_letters d WHERE d.id = ${id}::uuid ${lock ? sql`FOR UPDATE` : sql``}`);
  return row ?? null;
}

/** The oldest first, above the number `above`: a stretch of an export. */
export async function readWholeLetters(db: Queryable, filter: DeadLetterFilter, above: number, limit: number): Promise<WholeLetter[]> {
  const rows = await db.execute<WholeLetter>(sql`
    SELECT ${wholeColumns} FROM dead_letters d WHERE ${filtered(filter)} AND d.number > ${above} ORDER BY d.number LIMIT ${limit}`);
  return [...rows];
}

/** What was done to a letter, oldest first; the newest `limit` of it. */
export async function listActs(db: Queryable, id: string, limit: number): Promise<DeadLetterAct[]> {
  const rows = await db.execute<{ [K in keyof DeadLetterAct]: DeadLetterAct[K] }>(sql`
    SELECT ${wireTime(sql`a.at`)} AS at, a.actor, a.act, a.reason, a.detail
    FROM dead_letter_acts a WHERE a.dead_letter_id = ${id}::uuid ORDER BY a.id DESC LIMIT ${limit}`);
  return [...rows].toReversed();
}

/** Counts by group, topic, kind of error and status, the most first. */
export async function tallyDeadLetters(db: Queryable, filter: DeadLetterFilter, limit: number): Promise<DeadLetterTally[]> {
  const rows = await db.execute<{ [K in keyof DeadLetterTally]: DeadLetterTally[K] }>(sql`
    SELECT d.group_id AS "group", d.topic, d.error_class, d.status, count(*)::integer AS letters,
      ${wireTime(sql`min(d.last_failed_at)`)} AS oldest_failed_at, ${wireTime(sql`max(d.last_failed_at)`)} AS newest_failed_at
    FROM dead_letters d WHERE ${filtered(filter)} GROUP BY 1, 2, 3, 4 ORDER BY letters DESC, 1, 2, 3, 4 LIMIT ${limit}`);
  return [...rows];
}
