import type postgres from 'postgres';

type AnySql = postgres.ISql;
type Condition = postgres.PendingQuery<postgres.Row[]>;

/** What was cleared: letters, and records that waited for a retry. */
export interface Cleared {
  readonly letters: number;
  readonly records: number;
}

/**
 * Removes letters that were redriven or discarded, and have not been touched for so many days. The acts on them stay. Bounded: the rest is the next
 * call's. Returns how many.
 */
export async function purgeSettledLetters(sql: AnySql, days: number, limit: number): Promise<number> {
  const purged = await sql`
    DELETE FROM dead_letters d WHERE d.id IN (
      SELECT o.id FROM dead_letters o
      WHERE o.status IN ('redriven', 'discarded') AND o.last_failed_at < now() - make_interval(days => ${days})
        AND NOT EXISTS (SELECT FROM dead_letter_acts a WHERE a.dead_letter_id = o.id AND a.at >= now() - make_interval(days => ${days}))
      ORDER BY o.last_failed_at LIMIT ${limit} FOR UPDATE SKIP LOCKED)`;
  return purged.count;
}

/** Clears what any group or drain could not take of a user's messages, whatever has become of it. `by`: who acts, as `dead_letter_acts` names them. */
export function clearLettersOfUser(tx: AnySql, userId: string, by: string): Promise<Cleared> {
  // Whatever a record is, whole or not, it has its author's id in it; UUIDs are nobody else's.
  const names = (value: Condition): Condition => tx`position(convert_to(${userId}::text, 'UTF8') IN ${value}) > 0`;
  return clear(tx, names, by);
}

/** The same of messages that have been deleted since. A message that Postgres never had is not known here. */
export function clearLettersOfDeleted(tx: AnySql, by: string): Promise<Cleared> {
  // Bytes that are no UTF-8 have an escaped form, too.
  const idIn = (value: Condition): Condition => tx`substring(encode(${value}, 'escape') FROM '"message_id" *: *"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"')::uuid`;
  return clear(tx, (value) => tx`EXISTS (SELECT FROM messages m WHERE m.id = ${idIn(value)} AND m.deleted_at IS NOT NULL)`, by);
}

/**
 * Takes the text out of letters and out of queues. A letter that waited for a person is discarded by it: nothing is left to redrive. A record that waited for a
 * retry becomes such a letter, so that the books of its group still reconcile. What says that a message is deleted has no text, and is left to its group.
 *
 * The keys of the queues are held first, as by whoever works on them.
 */
async function clear(tx: AnySql, isMeant: (value: Condition) => Condition, by: string): Promise<Cleared> {
  const ofRecord = tx`${mayHoldText(tx, tx`r.headers`)} AND ${isMeant(tx`r.record_value`)}`;
  const ofLetter = tx`d.topic = 'message.events' AND ${mayHoldText(tx, tx`d.headers`)}
    AND (${isMeant(tx`coalesce(d.record_value, '')`)} OR ${isMeant(tx`coalesce(d.edited_value, '')`)})`;
  await tx`
    SELECT FROM parked_keys p WHERE EXISTS (
      SELECT FROM parked_records r WHERE r.group_id = p.group_id AND r.topic = p.topic AND r.key = p.key AND ${ofRecord})
    ORDER BY p.group_id, p.topic, p.key FOR UPDATE`;
  const records = await tx`
    WITH gone AS (
      DELETE FROM parked_records r WHERE ${ofRecord}
      RETURNING r.group_id, r.topic, r.partition, r.record_offset, r.record_key, r.headers, r.dead_letter_id
    )
    INSERT INTO dead_letters (stage, group_id, topic, partition, record_offset, record_key, headers, error_class, error_message, attempts,
      first_failed_at, last_failed_at, status, published_at)
    SELECT 'consumer', g.group_id, g.topic, g.partition, g.record_offset, g.record_key, g.headers, 'cleared', ${CLEARED}, 0, now(), now(), 'discarded', now()
    FROM gone g WHERE g.dead_letter_id IS NULL`;
  const letters = await tx`
    WITH meant AS (
      SELECT d.id, d.status IN ('pending', 'redriving') AS is_open FROM dead_letters d WHERE ${ofLetter} FOR UPDATE
    ), acted AS (
      INSERT INTO dead_letter_acts (dead_letter_id, actor, act, reason)
      SELECT m.id, ${by}, 'discard', ${CLEARED} FROM meant m WHERE m.is_open
    )
    UPDATE dead_letters d SET record_value = NULL, edited_value = NULL, error_message = ${CLEARED}, version = d.version + 1,
      status = CASE WHEN m.is_open THEN 'discarded' ELSE d.status END
    FROM meant m WHERE d.id = m.id`;
  return { letters: letters.count, records: records.count };
}

const CLEARED = 'the message was deleted, and what was kept of it';

/** Other events about a message have no text in them. What does not say what it is may hold one. */
function mayHoldText(tx: AnySql, headers: Condition): Condition {
  return tx`coalesce(${headers} ->> 'ce_type', '') NOT LIKE ALL (ARRAY['colink.message.deleted.%', 'colink.message.pinned.%', 'colink.message.unpinned.%', 'colink.message.previews_removed.%', 'colink.reaction.%', 'colink.member.%'])`;
}
