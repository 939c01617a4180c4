import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { uuidv7 } from 'uuidv7';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { seededRandom } from '../../client/testing/random.ts';
import type { Sql } from '../../db/client.ts';
import { searchMessages } from '../../db/queries/search.ts';
import { endRebuild, readRebuild, settleChanges } from '../../db/queries/search-rebuild.ts';
import type { SearchKind } from '../../db/schema/search-tables.ts';
import { parseQuery } from '../../protocol/search-query.ts';
import { eventually } from '../../tests/support/event-log.ts';
import { type TestDatabase, testDatabase } from '../../tests/support/postgres.ts';
import { SearchTraffic } from '../../tests/support/search-traffic.ts';
import { seedOfRun } from '../../tests/support/seed.ts';
import { InfrastructureError } from '../runtime/classify.ts';
import { createEventLogSource } from '../runtime/event-log-source.ts';
import type { ConsumerGroup } from '../runtime/group.ts';
import { groupService } from '../runtime/group-runner.ts';
import { totalLag } from '../runtime/stream-lag.ts';
import type { SearchEvent } from './events.ts';
import { searchIndexer } from './group.ts';
import { rebuildIndex, type RebuildOptions, RebuildRefused } from './rebuild.ts';
import { checkIndex } from './verify.ts';

const KINDS = ['messages', 'people', 'files'] as const;
const seed = seedOfRun();
const log = pino({ level: 'silent' });

let database: TestDatabase;
let sql: Sql;
beforeEach(async () => {
  database = await testDatabase();
  sql = database.connection.sql;
});
afterEach(() => database.drop());

const options = (kind: SearchKind, more: Partial<RebuildOptions> = {}): RebuildOptions => ({ kind, source: 'postgres', config: null, resume: false, pageSize: 7, rate: null, ...more });
const portsOf = (over: Sql) => ({ sql: over, now: Date.now, sleep: async (ms: number) => void (await sleep(ms)), report: () => {} });
const rebuild = (kind: SearchKind, more: Partial<RebuildOptions> = {}) => rebuildIndex(portsOf(sql), options(kind, more));

function index(group: ConsumerGroup<SearchEvent> = searchIndexer) {
  const source = createEventLogSource({ databaseUrl: database.url, sql, groupId: group.id, topics: group.topics, onError: () => {}, batchRecords: 9 });
  const service = groupService(group, source, { sql, log, chance: { now: () => new Date(), random: Math.random }, onTaken: () => {} });
  void service.run();
  return { service, untilDone: () => eventually(async () => totalLag(await source.lag()) === 0, 30_000) };
}

async function indexAll(): Promise<void> {
  const { service, untilDone } = index();
  await untilDone();
  await service.drain();
}

const indexed = async () => new Map((await sql<{ id: string; text: string }[]>`SELECT s.id::text AS id, s.text FROM search_messages s`).map(({ id, text }) => [id, text]));
const wrongOf = async () => (await Promise.all(KINDS.map((kind) => checkIndex(sql, kind, 'live')))).flat().filter(({ equal }) => !equal);

/** A connection on which any transaction may be cut off: before it, at its end, or after its commit. */
function frail(random: () => number, chance: number): Sql {
  const cut = (): void => {
    if (random() < chance) throw new InfrastructureError('cut off');
  };
  return new Proxy(sql, {
    get(target, name) {
      if (name !== 'begin') return Reflect.get(target, name) as unknown;
      return async (work: (tx: unknown) => Promise<unknown>) => {
        cut();
        const done = await target.begin(async (tx) => {
          const result = await work(tx);
          cut();
          return [result];
        });
        cut();
        return done[0];
      };
    },
  });
}

/** Somebody who may search all of the traffic's channels. */
async function searcher(traffic: SearchTraffic): Promise<(q: string) => Promise<string[]>> {
  const [id, credential] = [uuidv7(), uuidv7()];
  await sql`INSERT INTO users (id, issuer, subject, handle, display_name) VALUES (${id}, 'https://idp.test', ${id}, ${id}, 'Searcher')`;
  await traffic.tellOf(id);
  await sql`
    INSERT INTO credentials (id, secret_hash, kind, user_id, name, scopes, expires_at)
    VALUES (${credential}, ${Buffer.from(credential)}, 'personal', ${id}, 'test', '{}', now() + interval '1 hour')`;
  for (const channel of traffic.channels) await sql`INSERT INTO members (channel_id, user_id, version) VALUES (${channel.id}, ${id}, 1)`;
  return async (q) => {
    const found = await searchMessages(database.connection.db, credential, { query: parseQuery(q), channelId: null, before: null, limit: 100 }, Date.now);
    if ('problem' in found) throw new Error(found.problem.code);
    return found.ok.messages.map((message) => message.id);
  };
}

describe('a rebuild', () => {
  it.each([['postgres', null], ['postgres', 'english'], ['log', 'simple']] as const)(
    `G7, G8: from %s with %s, under writes and cut off anywhere, ends as the fold of the topics; searches never miss nor double (seed ${seed})`,
    async (source, config) => {
      const random = seededRandom(seed);
      const traffic = new SearchTraffic(database.connection, random);
      await traffic.open(4);
      const lasting = await traffic.say(Array.from({ length: 30 }, (_, n) => `lasting words ${n} qzx${n}end`));
      for (let n = 0; n < 120; n += 1) await traffic.step();
      await indexAll();
      const search = await searcher(traffic);

      const indexer = index({
        ...searchIndexer,
        apply: async (tx, events) => {
          if (random() < 0.05) throw new InfrastructureError('cut off before the effect');
          await searchIndexer.apply(tx, events);
          if (random() < 0.05) throw new InfrastructureError('cut off after the effect');
        },
      });
      traffic.start();
      let searches = 0;
      let cuts = 0;
      const ended = new AbortController();
      const searching = (async () => {
        while (!ended.signal.aborted) {
          const n = Math.floor(random() * lasting.length);
          expect(await search(`qzx${n}end`)).toEqual([lasting[n]]);
          searches += 1;
        }
      })();
      const over = frail(random, 0.04);
      const rebuildAll = async (): Promise<void> => {
        for (const kind of KINDS) {
          while ((await readRebuild(sql, kind))?.state !== 'swapped') {
            const resume = (await readRebuild(sql, kind)) !== null;
            await rebuildIndex(portsOf(over), options(kind, { source, config, resume })).catch((error: unknown) => {
              if (!(error instanceof InfrastructureError)) throw error;
              cuts += 1;
            });
          }
        }
      };
      try {
        await Promise.race([rebuildAll(), searching]);
      } finally {
        ended.abort();
        await traffic.stop();
        await indexer.untilDone().finally(() => indexer.service.drain());
      }
      await searching;

      expect(await indexed()).toEqual(traffic.expected());
      expect(await wrongOf()).toEqual([]);
      expect((await search(config === 'english' ? 'weave' : 'weaving')).length).toBeGreaterThan(0);
      expect(searches).toBeGreaterThan(5);
      for (const kind of KINDS) await endRebuild(sql, { kind, state: 'swapped' });
      console.info(`${traffic.steps} steps, ${searches} searches, ${cuts} cuts`);
    },
    120_000,
  );

  it('changes how words are found, and tables, indexes and later months are named as before', async () => {
    const traffic = new SearchTraffic(database.connection, seededRandom(seed + 1));
    await traffic.open(1);
    const [id] = await traffic.say(['they were running']);
    await indexAll();
    const search = await searcher(traffic);
    const names = async () => (await sql<{ name: string }[]>`SELECT c.relname AS name FROM pg_class c WHERE c.relname LIKE 'search_messages%' AND c.relkind IN ('r', 'p') ORDER BY 1`).map(({ name }) => name);
    const before = await names();
    expect([await search('runs'), await search('running')]).toEqual([[], [id]]);

    await rebuild('messages', { config: 'english' });
    expect([await search('runs'), await search('running'), await search('"were running"')]).toEqual([[id], [id], [id]]);
    await expect(rebuild('messages')).rejects.toThrow(/--drop-old/);
    await endRebuild(sql, { kind: 'messages', state: 'swapped' });
    expect(await names()).toEqual(before);

    // The configuration stays as it is, unless another is asked for; and names do not grow.
    await rebuild('messages');
    await endRebuild(sql, { kind: 'messages', state: 'swapped' });
    expect([await search('runs'), await names()]).toEqual([[id], before]);
    const [{ strange }] = await sql<[{ strange: number }]>`SELECT count(*)::integer AS strange FROM pg_class c WHERE c.relname ~ '^search_.*_(next|old)(_|$)'`;
    expect(strange).toBe(0);
    await expect(rebuild('messages', { config: 'nope' })).rejects.toThrow(/no text search configuration/);
  });

  it('does not swap in a table that is not what it should be', async () => {
    const traffic = new SearchTraffic(database.connection, seededRandom(seed + 2));
    await traffic.open(2);
    for (let n = 0; n < 40; n += 1) await traffic.step();
    await indexAll();
    // A part of the log is gone, as after its retention.
    await sql`DELETE FROM event_log e WHERE e.position <= (SELECT max(x.position) / 2 FROM event_log x)`;
    await expect(rebuild('messages', { source: 'log' })).rejects.toThrow(RebuildRefused);
    expect(await readRebuild(sql, 'messages')).toMatchObject({ state: 'filled' });
    expect(await wrongOf()).toEqual([]);
    await endRebuild(sql, { kind: 'messages', state: 'filled' });
    await rebuild('messages');
    expect(await wrongOf()).toEqual([]);
  });

  it('that nobody works on is written down for no more than a day, and not resumed after half of one (G8)', async () => {
    const traffic = new SearchTraffic(database.connection, seededRandom(seed + 3));
    await traffic.open(1);
    const cut = async () => rebuildIndex(portsOf(frail(() => 0, 1)), options('messages', { resume: true })).catch(() => {});
    await sql`INSERT INTO search_rebuilds (kind, source, config) VALUES ('messages', 'postgres', 'simple')`;
    await sql`SELECT create_next_search_table('messages', 'simple')`;
    await cut();
    const noted = async () => (await sql`SELECT FROM search_rebuild_changes`).length;
    await traffic.say(['noted']);
    await indexAll();
    expect(await noted()).toBe(1);
    await sql`UPDATE search_rebuilds SET updated_at = now() - interval '25 hours'`;
    await traffic.say(['not noted']);
    await indexAll();
    expect(await noted()).toBe(1);
    await expect(rebuild('messages', { resume: true })).rejects.toThrow(/lain still/);
    expect(await settleChanges(sql, 'messages', 10)).toBe(0);
  });

  it('waits for those who hold the tables, and lets searches through meanwhile', async () => {
    const traffic = new SearchTraffic(database.connection, seededRandom(seed + 4));
    await traffic.open(1);
    const [id] = await traffic.say(['patience']);
    await indexAll();
    const search = await searcher(traffic);
    const { promise: mayEnd, resolve: end } = Promise.withResolvers<void>();
    const { promise: holds, resolve: held } = Promise.withResolvers<void>();
    const holding = sql.begin(async (tx) => {
      await tx`LOCK TABLE search_messages IN ROW EXCLUSIVE MODE`;
      held();
      await mayEnd;
    });
    await holds;
    let isSwapped = false;
    const swapping = rebuild('messages').then(() => (isSwapped = true));
    const startedAt = Date.now();
    let slowest = 0;
    while (Date.now() - startedAt < 2_000) {
      const at = performance.now();
      expect(await search('patience')).toEqual([id]);
      slowest = Math.max(slowest, performance.now() - at);
    }
    expect(isSwapped).toBe(false);
    end();
    await Promise.all([holding, swapping]);
    expect(await search('patience')).toEqual([id]);
    expect(slowest).toBeLessThan(3_000);
  });
});

describe('a check of the index', () => {
  it('tells what is wrong from what is on its way', async () => {
    const traffic = new SearchTraffic(database.connection, seededRandom(seed + 5));
    await traffic.open(2);
    const [kept, lost, changed] = await traffic.say(['kept', 'lost', 'changed']);
    for (let n = 0; n < 20; n += 1) await traffic.step();
    await indexAll();
    expect(await wrongOf()).toEqual([]);
    await traffic.say(['late']);
    expect(await wrongOf()).toMatchObject([{ waiting: 1, wrong: 0 }]);
    await indexAll();

    await sql`DELETE FROM search_messages WHERE id = ${lost ?? ''}`;
    await sql`UPDATE search_messages SET text = 'other' WHERE id = ${changed ?? ''}`;
    const ghost = uuidv7();
    await sql`INSERT INTO search_messages (id, channel_id, author_id, seq, text) SELECT ${ghost}, s.channel_id, s.author_id, 1, 'ghost' FROM search_messages s WHERE s.id = ${kept ?? ''}`;
    const [check] = await wrongOf();
    expect(check).toMatchObject({ waiting: 0, wrong: 3 });
    expect(check?.examples.toSorted()).toEqual([lost, changed, ghost].toSorted());
  });
});
