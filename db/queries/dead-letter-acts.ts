import { sql, type SQL } from 'drizzle-orm';
import { toBase64 } from '../bytes.ts';
import type { Queryable, Transaction } from '../client.ts';
import { recordAct } from './audit.ts';
import { escaped, isFit, named, redrivenHeaders, redrivenKey, redrivenPosition, redrivenValue, selected, type Selection } from './dead-letter-selection.ts';

/** Who acts (`cli:<name>`, `user:<id>`), and why. */
export interface ActBy {
  readonly actor: string;
  readonly reason: string | null;
}

/** Longest an act waits for rows that others hold, in milliseconds; then it fails with lock_not_available, and nothing is done. */
const LOCK_TIMEOUT = 5_000;

const limitWaiting = (tx: Transaction) => tx.execute(sql`SELECT set_config('lock_timeout', ${String(LOCK_TIMEOUT)}, true)`);

const pending = (selection: Selection): SQL => sql`${selected(selection)} AND d.status = 'pending'`;

/** How many letters of a selection wait for a person, and how many of them cannot be redriven as they are. */
export async function countSelected(db: Queryable, selection: Selection): Promise<{ readonly pending: number; readonly unfit: number }> {
  const [row] = await db.execute<{ pending: number; unfit: number }>(sql`
    SELECT count(*)::integer AS pending, (count(*) FILTER (WHERE NOT ${isFit}))::integer AS unfit FROM dead_letters d WHERE ${pending(selection)}`);
  return { pending: row?.pending ?? 0, unfit: row?.unfit ?? 0 };
}

/** A place in the order of redriving, which is the order of the log: `<position>:<number>`. */
export type RedrivePlace = `${number}:${number}`;

/** Letters in the order of redriving, and the place of the last of them (null: there are none), behind which the next call goes on. */
export interface Redriven {
  readonly ids: readonly string[];
  readonly last: RedrivePlace | null;
}

export interface RedriveRequest {
  readonly selection: Selection;
  /** Only what stands behind it: what fails again meanwhile is not met twice by one run. Null: from the start. */
  readonly after: RedrivePlace | null;
  readonly limit: number;
}

/** Those that a redrive would move. */
export const previewRedrive = (db: Queryable, request: RedriveRequest): Promise<Redriven> => nextInLine(db, request, sql``);

async function nextInLine(db: Queryable, { selection, after, limit }: RedriveRequest, lock: SQL): Promise<Redriven> {
  const [position, number] = (after ?? '0:0').split(':');
  const rows = await db.execute<{ id: string; place: RedrivePlace }>(sql`
    SELECT d.id, concat(${redrivenPosition}, ':', d.number) AS place FROM dead_letters d
    WHERE ${pending(selection)} AND ${isFit} AND (${redrivenPosition}, d.number) > (${position}::bigint, ${number}::bigint)
    ORDER BY ${redrivenPosition}, d.number LIMIT ${limit} ${lock}`);
  return { ids: rows.map(({ id }) => id), last: rows.at(-1)?.place ?? null };
}

/**
 * Hands pending letters to the queues of their keys, in the groups that gave them up; each group's retrier takes them from there, whichever the
 * transport. The oldest in the log first; each takes its place in its key's queue by its position, and the key is tried at once. Letters that
 * another transaction holds are passed over. Returns what was moved.
 *
 * The groups' offset rows are held meanwhile: a batch under way is stored before the keys are parked, and the next one sees that they are (G3).
 * @throws lock_not_available where a batch under way takes longer than 5 s.
 */
export async function redriveLetters(tx: Transaction, request: RedriveRequest, by: ActBy): Promise<Redriven> {
  await limitWaiting(tx);
  await holdOffsets(tx, request.selection);
  const claimed = await nextInLine(tx, request, sql`FOR UPDATE SKIP LOCKED`);
  const { ids } = claimed;
  if (ids.length === 0) return claimed;
  await parkKeys(tx, ids);
  await queueLetters(tx, ids);
  await tx.execute(sql`UPDATE dead_letters d SET status = 'redriving', version = d.version + 1 WHERE ${named(ids)}`);
  await insertActs(tx, ids, 'redrive', by);
  return claimed;
}

async function holdOffsets(tx: Transaction, selection: Selection): Promise<void> {
  await tx.execute(sql`
    SELECT 1 AS held FROM consumer_offsets o
    WHERE o.group_id IN (SELECT d.group_id FROM dead_letters d WHERE ${pending(selection)})
    ORDER BY o.group_id, o.topic, o.partition FOR UPDATE`);
}

async function parkKeys(tx: Transaction, ids: readonly string[]): Promise<void> {
  await tx.execute(sql`
    INSERT INTO parked_keys AS p (group_id, topic, key, attempts, error_class, error_message, first_failed_at, last_failed_at, next_retry_at)
    SELECT d.group_id, d.topic, ${escaped(redrivenKey)}::uuid, 0, 'redriven', '', min(d.first_failed_at), max(d.last_failed_at), now()
    FROM dead_letters d WHERE ${named(ids)} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (group_id, topic, key) DO UPDATE SET attempts = 0, next_retry_at = excluded.next_retry_at`);
}

async function queueLetters(tx: Transaction, ids: readonly string[]): Promise<void> {
  await tx.execute(sql`
    INSERT INTO parked_records (group_id, topic, key, partition, record_offset, record_key, record_value, headers, dead_letter_id)
    SELECT d.group_id, d.topic, ${escaped(redrivenKey)}::uuid, d.partition, d.record_offset, ${redrivenKey}, ${redrivenValue}, ${redrivenHeaders}, d.id
    FROM dead_letters d WHERE ${named(ids)} ORDER BY d.number`);
}

/** Gives pending letters up for good, the oldest first. Returns which. Those that another transaction holds are passed over. */
export async function discardLetters(tx: Transaction, selection: Selection, limit: number, by: ActBy): Promise<string[]> {
  const rows = await tx.execute<{ id: string }>(sql`
    WITH claimed AS (SELECT d.id FROM dead_letters d WHERE ${pending(selection)} ORDER BY d.number LIMIT ${limit} FOR UPDATE SKIP LOCKED)
    UPDATE dead_letters d SET status = 'discarded', version = d.version + 1 FROM claimed c WHERE d.id = c.id RETURNING d.id`);
  const ids = rows.map(({ id }) => id);
  await insertActs(tx, ids, 'discard', by);
  return ids;
}

/** What stands in the place of what came from now on; null: as before. */
export interface LetterChange {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  /** Whole, in the notation of `consumers/runtime/stored-headers.ts`. */
  readonly headersJson: string | null;
}

export async function saveEdit(tx: Transaction, id: string, { key, value, headersJson }: LetterChange, by: ActBy, forced: boolean): Promise<void> {
  const parts = Object.entries({ key, value, headers: headersJson }).flatMap(([part, content]) => (content === null ? [] : [part]));
  await tx.execute(sql`
    UPDATE dead_letters d SET version = d.version + 1,
      edited_key = coalesce(decode(${key && toBase64(key)}::text, 'base64'), d.edited_key),
      edited_value = coalesce(decode(${value && toBase64(value)}::text, 'base64'), d.edited_value),
      edited_headers = coalesce(${headersJson}::text::jsonb, d.edited_headers)
    WHERE d.id = ${id}::uuid`);
  await insertActs(tx, [id], 'edit', by, sql`jsonb_build_object('parts', ${JSON.stringify(parts)}::text::jsonb, 'forced', ${forced}::boolean,
    'value_sha256', encode(sha256(${redrivenValue}), 'hex'))`);
}

async function insertActs(tx: Transaction, ids: readonly string[], act: keyof typeof AUDITED, { actor, reason }: ActBy, detail = sql`'{}'::jsonb`): Promise<void> {
  if (ids.length === 0) return;
  await tx.execute(sql`
    INSERT INTO dead_letter_acts (dead_letter_id, actor, act, reason, detail)
    SELECT d.id, ${actor}, ${act}, ${reason}::text, ${detail} FROM dead_letters d WHERE ${named(ids)} ORDER BY d.number`);
  await recordAct(tx, { act: AUDITED[act], target: ['dead_letter', ids.length === 1 ? (ids[0] ?? null) : null], details: { ids, reason: reason?.slice(0, MAX_REASON) ?? null } }, { actorName: actor });
}

const MAX_REASON = 500;
const AUDITED = { edit: 'dead_letter.edited', redrive: 'dead_letter.redriven', discard: 'dead_letter.discarded' } as const;

/** How letters that were redriven stand now. `failed`: pending again. */
export async function countOutcomes(db: Queryable, ids: readonly string[]): Promise<{ readonly waiting: number; readonly succeeded: number; readonly failed: number }> {
  const [row] = await db.execute<{ waiting: number; succeeded: number; failed: number }>(sql`
    SELECT (count(*) FILTER (WHERE d.status = 'redriving'))::integer AS waiting, (count(*) FILTER (WHERE d.status = 'redriven'))::integer AS succeeded,
      (count(*) FILTER (WHERE d.status NOT IN ('redriving', 'redriven')))::integer AS failed
    FROM dead_letters d WHERE ${named(ids)}`);
  return row ? { ...row } : { waiting: 0, succeeded: 0, failed: 0 };
}
