import type postgres from 'postgres';
import { uuidv7 } from 'uuidv7';
import type { ChannelEvent } from '../../protocol/events.ts';
import { ceType, type Topic } from '../../protocol/topics.ts';

/** A row of the event log to be. */
export interface LogEntry {
  readonly key: string;
  readonly event: ChannelEvent;
  readonly topic?: Topic;
  /** Default: the event's own, major version 1. */
  readonly type?: string;
}

const AUTHOR = uuidv7();

/** A message as its room would have announced it. */
export function created(seq: number, text = `message ${seq}`, messageId = uuidv7()): Extract<ChannelEvent, { type: 'message.created' }> {
  const id = uuidv7();
  return {
    type: 'message.created', seq, id, at: new Date().toISOString(), actor_id: AUTHOR, message_id: messageId,
    client_msg_id: `c${seq}`, text, pos: seq, thread_id: null, tpos: null, origin: null,
  };
}

export function edited(seq: number, messageId: string, text: string, revision = 2): ChannelEvent {
  return { type: 'message.edited', seq, id: uuidv7(), at: new Date().toISOString(), actor_id: AUTHOR, message_id: messageId, text, revision };
}

export function deleted(seq: number, messageId: string): ChannelEvent {
  return { type: 'message.deleted', seq, id: uuidv7(), at: new Date().toISOString(), actor_id: AUTHOR, message_id: messageId, thread_id: null };
}

/** Appends entries as the drain does: positions in order, within the transaction of `sql`. Returns the positions. */
export async function appendToLog(sql: postgres.ISql, entries: readonly LogEntry[]): Promise<number[]> {
  const rows = entries.map(({ key, event, topic = 'message.events', type = ceType(event.type) }) => ({ key, topic, type, event }));
  const inserted = await sql<{ position: number }[]>`
    INSERT INTO event_log (topic, key, event_id, type, channel_seq, data)
    SELECT r.value ->> 'topic', (r.value ->> 'key')::uuid, (r.value -> 'event' ->> 'id')::uuid, r.value ->> 'type',
      (r.value -> 'event' ->> 'seq')::bigint, r.value -> 'event'
    FROM jsonb_array_elements(${JSON.stringify(rows)}::text::jsonb) WITH ORDINALITY AS r (value, place) ORDER BY r.place
    RETURNING position::float8 AS position`;
  return inserted.map(({ position }) => position);
}

/** Appends messages `from` to `to` of a channel. */
export async function appendRun(sql: postgres.ISql, key: string, from: number, to: number): Promise<void> {
  await appendToLog(sql, Array.from({ length: to - from + 1 }, (_, index) => ({ key, event: created(from + index) })));
}

/** The same in a transaction that stays open until `commit` is called. */
export async function appendLate(sql: postgres.Sql, key: string, from: number, to: number): Promise<{ commit(): Promise<void> }> {
  const { promise: isAppended, resolve: appended } = Promise.withResolvers<void>();
  const { promise: mayCommit, resolve: commit } = Promise.withResolvers<void>();
  const committed = sql.begin(async (tx) => {
    await appendRun(tx, key, from, to);
    appended();
    await mayCommit;
  });
  await isAppended;
  return {
    commit: async () => {
      commit();
      await committed;
    },
  };
}

/** Waits until `isTrue` holds; the last state of `describe` explains a failure. */
export async function eventually(isTrue: () => Promise<boolean> | boolean, timeoutMs = 20_000, describe: () => unknown = () => ''): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await isTrue())) {
    if (Date.now() > end) throw new Error(`did not come true within ${timeoutMs} ms ${JSON.stringify(describe())}`);
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
  }
}
