import { knownGroups } from '../../consumers/services.ts';
import type { Sql } from '../../db/client.ts';

/** What came in of a group on one topic, and what became of it. */
export interface Account {
  readonly group: string;
  readonly topic: string;
  /** Events of the log that the group reads. */
  readonly in: number;
  /** Those that it has behind it, by the place it stored of their key, and that are none of the others. */
  readonly done: number;
  readonly parked: number;
  /** Dead letters by where they stand: pending or on their way again, discarded. */
  readonly dead: number;
  readonly discarded: number;
}

/** The books of every group that has taken anything: `in = done + parked + dead + discarded`, or something was lost on the way. */
export async function readBooks(sql: Sql): Promise<Account[]> {
  const begun = await sql<{ group_id: string }[]>`SELECT DISTINCT o.group_id FROM consumer_offsets o`;
  const running = knownGroups().filter(({ id }) => begun.some(({ group_id }) => group_id === id));
  const accounts = running.flatMap((group) => group.topics.map((topic) => readAccount(sql, group.id, topic, [...group.types])));
  return Promise.all(accounts);
}

async function readAccount(sql: Sql, group: string, topic: string, types: readonly string[]): Promise<Account> {
  const [row] = await sql<[Omit<Account, 'group' | 'topic'>]>`
    WITH came AS MATERIALIZED (
      SELECT e.position, e.position <= coalesce(k.position, 0) AS is_behind,
        EXISTS (SELECT FROM parked_records p WHERE p.group_id = ${group} AND p.topic = ${topic} AND p.position = e.position) AS is_parked,
        (SELECT d.status FROM dead_letters d WHERE d.group_id = ${group} AND d.topic = ${topic} AND d.headers ->> 'log_position' = e.position::text LIMIT 1) AS dead
      FROM event_log e LEFT JOIN consumer_keys k ON k.group_id = ${group} AND k.topic = e.topic AND k.key = e.key
      WHERE e.topic = ${topic} AND e.type IN (SELECT t.value FROM json_array_elements_text(${JSON.stringify(types)}::text::json) t)
    )
    SELECT count(*)::integer AS in, (count(*) FILTER (WHERE is_behind AND NOT is_parked AND (dead IS NULL OR dead = 'redriven')))::integer AS done,
      (count(*) FILTER (WHERE is_parked))::integer AS parked, (count(*) FILTER (WHERE dead IN ('pending', 'redriving') AND NOT is_parked))::integer AS dead,
      (count(*) FILTER (WHERE dead = 'discarded'))::integer AS discarded
    FROM came`;
  return { group, topic, ...row };
}

export const isEven = (account: Account): boolean => account.in === account.done + account.parked + account.dead + account.discarded;
