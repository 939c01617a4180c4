import type { Sql } from '../../db/client.ts';
import { type ChannelEvent, channelEventSchema } from '../../protocol/events.ts';
import { ceType } from '../../protocol/topics.ts';
import type { Consumed, ConsumerGroup } from './group.ts';

/** A group that writes down what it is given, in its transaction. `faults` may throw before or after the effect of each call. */
export interface LedgerFaults {
  before?(events: readonly Consumed<ChannelEvent>[]): void;
  after?(events: readonly Consumed<ChannelEvent>[]): void;
}

export async function createLedger(sql: Sql): Promise<void> {
  await sql`CREATE TABLE IF NOT EXISTS ledger (
    place bigint GENERATED ALWAYS AS IDENTITY, group_id text NOT NULL, key uuid NOT NULL, position bigint NOT NULL, seq bigint NOT NULL)`;
}

export function ledgerGroup(id: string, faults: LedgerFaults = {}): ConsumerGroup<ChannelEvent> {
  return {
    id,
    topics: ['message.events'],
    types: new Set([ceType('message.created')]),
    schema: channelEventSchema,
    apply: async (tx, events) => {
      faults.before?.(events);
      const rows = events.map(({ key, position, event }) => ({ key, position, seq: event.seq }));
      await tx`
        INSERT INTO ledger (group_id, key, position, seq)
        SELECT ${id}, (r.value ->> 'key')::uuid, (r.value ->> 'position')::bigint, (r.value ->> 'seq')::bigint
        FROM jsonb_array_elements(${JSON.stringify(rows)}::text::jsonb) WITH ORDINALITY AS r (value, place) ORDER BY r.place`;
      faults.after?.(events);
    },
  };
}

/** What a group took over, per key, in the order it did. */
export async function readLedger(sql: Sql, groupId: string): Promise<Map<string, number[]>> {
  const rows = await sql<{ key: string; seqs: number[] }[]>`
    SELECT l.key::text AS key, json_agg(l.seq ORDER BY l.place) AS seqs FROM ledger l WHERE l.group_id = ${groupId} GROUP BY l.key`;
  return new Map(rows.map(({ key, seqs }) => [key, seqs]));
}
