import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { seededRandom } from '../../client/testing/random.ts';
import type { Sql } from '../../db/client.ts';
import type { ChannelEvent } from '../../protocol/events.ts';
import { appendToLog, created, deleted, edited, eventually } from '../../tests/support/event-log.ts';
import { foldIndex, type IndexRow } from '../../tests/support/fold.ts';
import { type TestDatabase, testDatabase } from '../../tests/support/postgres.ts';
import { seedOfRun } from '../../tests/support/seed.ts';
import { InfrastructureError } from '../runtime/classify.ts';
import { createEventLogSource } from '../runtime/event-log-source.ts';
import type { ConsumerGroup } from '../runtime/group.ts';
import { groupService } from '../runtime/group-runner.ts';
import { totalLag } from '../runtime/stream-lag.ts';
import type { SearchEvent } from './events.ts';
import { searchIndexer } from './group.ts';

const seed = seedOfRun();
const random = seededRandom(seed);
const log = pino({ level: 'silent' });
const chance = { now: () => new Date(), random: Math.random };

/** A channel's life: messages created, edited and deleted at random. */
function randomLife(length: number): ChannelEvent[] {
  const ids: string[] = [];
  return Array.from({ length }, (_, index) => {
    const seq = index + 1;
    const id = ids[Math.floor(random() * ids.length)];
    const dice = random();
    if (id === undefined || dice < 0.5) {
      const event = created(seq);
      ids.push(event.message_id);
      return event;
    }
    if (dice < 0.8) return edited(seq, id, `text of ${seq}`, seq + 1);
    ids.splice(ids.indexOf(id), 1);
    return deleted(seq, id);
  });
}

describe('search-indexer', () => {
  let database: TestDatabase;
  let sql: Sql;

  beforeEach(async () => {
    database = await testDatabase();
    sql = database.connection.sql;
  });

  afterEach(() => database.drop());

  function start(group: ConsumerGroup<SearchEvent>) {
    const source = createEventLogSource({ databaseUrl: database.url, sql, groupId: group.id, topics: group.topics, onError: () => {}, batchRecords: 9 });
    const service = groupService(group, source, { sql, log, chance, onTaken: () => {} });
    void service.run();
    return { service, source };
  }

  async function readIndex(channel: string): Promise<Map<string, IndexRow>> {
    const rows = await sql<IndexRow[]>`
      SELECT s.id::text AS id, s.author_id::text AS author_id, s.seq::float8 AS seq, s.text FROM search_messages s WHERE s.channel_id = ${channel}`;
    return new Map(rows.map((row) => [row.id, { ...row }]));
  }

  async function indexAll(group = searchIndexer): Promise<void> {
    const { service, source } = start(group);
    await eventually(async () => totalLag(await source.lag()) === 0);
    await service.drain();
  }

  /** The indexer as it dies of itself: before its effect, after it, or with its whole process. */
  const frail: ConsumerGroup<SearchEvent> = {
    ...searchIndexer,
    apply: async (tx, events) => {
      if (random() < 0.15) throw new InfrastructureError('cut off before the effect');
      await searchIndexer.apply(tx, events);
      if (random() < 0.15) throw new InfrastructureError('cut off after the effect');
    },
  };

  it(`G7: equals a replay of its topic after crashes at any moment (seed ${seed})`, async () => {
    const lives = new Map(Array.from({ length: 4 }, () => [randomUUID(), randomLife(120)]));
    let running = start(frail);
    for (let round = 0; round < 12; round += 1) {
      await Promise.all([...lives].map(([key, events]) => appendToLog(sql, events.slice(round * 10, round * 10 + 10).map((event) => ({ key, event })))));
      if (round % 3 === 2) {
        await running.service.stop();
        running = start(frail);
      }
    }
    await running.service.stop();
    await indexAll();
    for (const [channel, events] of lives) expect(await readIndex(channel)).toEqual(foldIndex(events));
  });

  it('G7: a replay from the start over the index there is, and into an empty one, ends the same', async () => {
    const [channel, events] = [randomUUID(), randomLife(150)];
    await appendToLog(sql, events.map((event) => ({ key: channel, event })));
    await indexAll();
    const expected = foldIndex(events);
    const forget = () => sql`WITH offsets AS (DELETE FROM consumer_offsets) DELETE FROM consumer_keys`;

    await forget();
    await indexAll();
    expect(await readIndex(channel)).toEqual(expected);

    await forget();
    await sql`DELETE FROM search_messages`;
    await indexAll();
    expect(await readIndex(channel)).toEqual(expected);
  });

  it('finds what was written, as it is now', async () => {
    const channel = randomUUID();
    const [kept, changed, gone] = [created(1, 'a red apple'), created(2, 'a green pear'), created(3, 'a blue plum')];
    const events = [kept, changed, gone, edited(4, changed.message_id, 'a yellow quince'), deleted(5, gone.message_id)];
    await appendToLog(sql, events.map((event) => ({ key: channel, event })));
    await indexAll();
    const find = async (word: string) =>
      (await sql<{ text: string }[]>`SELECT s.text FROM search_messages s WHERE s.tsv @@ plainto_tsquery('simple', ${word})`).map(({ text }) => text);
    expect(await Promise.all(['apple', 'pear', 'quince', 'plum'].map(find))).toEqual([['a red apple'], [], ['a yellow quince'], []]);
  });
});
