import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { integer, seededRandom } from '../../client/testing/random.ts';
import type { Sql } from '../../db/client.ts';
import { readOldestUnrelayed } from '../../db/queries/relay-layout.ts';
import { appendRun, eventually } from './event-log.ts';
import type { TopicRecord } from './topic.ts';

/** Writers that hurry or dawdle in transactions which overlap. */
export interface Writers {
  /** Rows committed so far. */
  committed(): number;
  /** Resolves when the last transaction has ended. */
  end(): Promise<void>;
}

/** A key is written by one transaction at a time, as its row lock has it; one in five rolls back. */
export function startWriters(sql: Sql, keys: number, random: () => number): Writers {
  const ending = new AbortController();
  let committed = 0;
  async function write(key: string, chance: () => number): Promise<void> {
    for (let seq = 1; !ending.signal.aborted; await sleep(integer(chance, 30))) {
      const rows = await writeOnce(sql, key, seq, chance);
      [seq, committed] = [seq + rows, committed + rows];
    }
  }
  const running = Array.from({ length: keys }, (_, n) => write(randomUUID(), seededRandom(integer(random, 2 ** 31) + n)));
  return {
    committed: () => committed,
    end: async () => {
      ending.abort();
      await Promise.all(running);
    },
  };
}

class RolledBack extends Error {}

/** Returns how many rows were committed. */
async function writeOnce(sql: Sql, key: string, seq: number, random: () => number): Promise<number> {
  const rows = 1 + integer(random, 5);
  try {
    await sql.begin(async (tx) => {
      await appendRun(tx, key, seq, seq + rows - 1);
      if (random() < 0.3) await sleep(integer(random, 60));
      if (random() < 0.2) throw new RolledBack();
    });
    return rows;
  } catch (error) {
    if (error instanceof RolledBack) return 0;
    throw error;
  }
}

/** By the relay's stored place, so that what it sent and could not store counts as not relayed. */
export async function allRelayed(sql: Sql, withinMs: number): Promise<void> {
  await eventually(async () => (await readOldestUnrelayed(sql)) === null, withinMs);
}

/** Table `event_log` in position order. */
export async function readLogRows(sql: Sql): Promise<TopicRecord[]> {
  return sql<TopicRecord[]>`
    SELECT e.position::float8 AS position, e.key::text AS key, e.data::text AS value FROM event_log e ORDER BY e.position`;
}
