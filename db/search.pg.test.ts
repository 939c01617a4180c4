import { sql as statement } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parseQuery, printTerms } from '../protocol/search-query.ts';
import { type TestDatabase, testDatabase } from '../tests/support/postgres.ts';
import { premakePartitions } from './partitions.ts';
import { type Found, pageStatement, searchMessages, type Source } from './queries/search.ts';
import { idRange } from './queries/search-conditions.ts';

/** Three months of one channel, a thousand messages an hour from the first of each. */
const MONTHS = ['2026-09', '2026-10', '2026-11'];
const EACH = 40_000;
const NEWEST = { newest: 4_000 };
const credential = uuidv7();

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase();
  const { sql } = database.connection;
  await premakePartitions(sql, new Date('2026-09-01T00:00:00Z'));
  const [user, channel] = [uuidv7(), uuidv7()];
  await sql`INSERT INTO users (id, issuer, subject, handle, display_name) VALUES (${user}, 'https://idp.test', ${user}, 'ada', 'Ada')`;
  await sql`INSERT INTO channels (id, kind, name, created_by) VALUES (${channel}, 'public', 'loom', ${user})`;
  await sql`INSERT INTO members (channel_id, user_id, version) VALUES (${channel}, ${user}, 1)`;
  await sql`INSERT INTO credentials (id, secret_hash, kind, user_id, name, scopes, expires_at) VALUES (${credential}, ${Buffer.from(credential)}, 'personal', ${user}, 'test', '{}', now() + interval '1 hour')`;
  for (const [n, month] of MONTHS.entries()) {
    await sql`
      INSERT INTO messages (id, channel_id, seq, pos, author_id, client_msg_id, text, created_at)
      SELECT uuid_floor(m.at), ${channel}, m.seq, m.seq, ${user}, m.seq::text,
        CASE WHEN i % 10000 = 0 THEN 'mark ' || ${month}::text || ' ẑ' ELSE 'common words of number ' || i END, m.at
      FROM generate_series(1, ${EACH}) i, LATERAL (SELECT ${`${month}-01T00:00:00Z`}::timestamptz + i * interval '3.6 seconds' AS at, ${n * EACH}::bigint + i AS seq) m`;
  }
  await sql`INSERT INTO search_messages (id, channel_id, author_id, seq, text) SELECT m.id, m.channel_id, m.author_id, m.seq, m.text FROM messages m`;
  // Takes in what the indexes have pending, too: what is put into them lies there unordered at first, up to 4 MB.
  await sql`VACUUM (ANALYZE) messages, search_messages`;
}, 120_000);
afterAll(() => database.drop());

async function search(q: string, before: string | null, limit = 5, now: () => number = () => 0): Promise<Found> {
  const found = await searchMessages(database.connection.db, credential, { query: parseQuery(q), channelId: null, before, limit }, now);
  if ('problem' in found) throw new Error(found.problem.code);
  return found.ok;
}

/** All pages, one after another. */
async function searchAll(q: string, limit: number, now?: () => number): Promise<{ texts: string[]; pages: number }> {
  const texts: string[] = [];
  let pages = 0;
  for (let before: string | null = null, more = true; more; pages += 1) {
    const { messages, next } = await search(q, before, limit, now);
    texts.push(...messages.map(({ text }) => text));
    [before, more] = [next, next !== null];
  }
  return { texts, pages };
}

const MARKS = MONTHS.toReversed().flatMap((month) => Array.from({ length: EACH / 10_000 }, () => `mark ${month} ẑ`));

describe('a search that no index helps with (G8)', () => {
  it('finds all there is, in order, however its windows fall', async () => {
    expect(await searchAll('ẑ', 5)).toMatchObject({ texts: MARKS });
    expect(await searchAll('ẑ', 100)).toEqual({ texts: MARKS, pages: 1 });
    expect((await searchAll('from:ada -common', 7)).texts).toEqual(MARKS);
  });

  it('ends after a window once it has taken long enough, and the next page goes on', async () => {
    let at = 0;
    const slow = () => (at += 10_000);
    const { texts, pages } = await searchAll('ẑ', 100, slow);
    expect(texts).toEqual(MARKS);
    // 120,000 messages, the first 1,000 of what is left at a time, and one page more to learn that nothing is.
    expect(pages).toBe(121);
    expect(await search('nn', null, 5, slow)).toMatchObject({ messages: [], next: expect.any(String) });
  });

  it('finds the same as one with an index', async () => {
    expect((await searchAll('mark', 3)).texts).toEqual(MARKS);
    expect((await searchAll('mark or zz', 3)).texts).toEqual(MARKS);
  });
});

interface PlanNode {
  readonly 'Relation Name'?: string | undefined;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly Plans?: readonly PlanNode[] | undefined;
}
const nodeSchema: z.ZodType<PlanNode> = z.lazy(() =>
  z.object({ 'Relation Name': z.string().optional(), 'Actual Rows': z.number(), 'Actual Loops': z.number(), Plans: z.array(nodeSchema).optional() }),
);
const planSchema = z.tuple([z.object({ Plan: z.intersection(nodeSchema, z.looseObject({ 'Shared Hit Blocks': z.number(), 'Shared Read Blocks': z.number() })) })]);

/** Rows of history, rather than of its index, that were read. */
const rowsOfMessages = (node: PlanNode): number =>
  (node['Relation Name']?.startsWith('messages_') ? node['Actual Rows'] * node['Actual Loops'] : 0) + (node.Plans ?? []).reduce((sum, part) => sum + rowsOfMessages(part), 0);

/** The plan of a page's statement, how many pages of 8 kB it read or had at hand, and how many rows of `messages`. */
async function plan(q: string, source: Source, limit = 5): Promise<{ text: string; blocks: number; messages: number }> {
  const request = { query: parseQuery(q), channelId: null, before: null, limit };
  const [{ words } = { words: '' }] = await database.connection.sql<{ words: string }[]>`SELECT websearch_to_tsquery('simple', ${printTerms(request.query.any)})::text AS words`;
  const page = pageStatement(credential, request, words, idRange(request.query, null), source);
  const [row] = await database.connection.db.execute<{ 'QUERY PLAN': unknown }>(statement`EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${page}`);
  const [{ Plan }] = planSchema.parse(row?.['QUERY PLAN']);
  return { text: JSON.stringify(row), blocks: Plan['Shared Hit Blocks'] + Plan['Shared Read Blocks'], messages: Math.round(rowsOfMessages(Plan)) };
}

describe('a search that an index helps with (G8)', () => {
  it('finds what is said everywhere, hardly anywhere, long ago, or never', async () => {
    expect((await search('common', null, 3)).messages.map(({ text }) => text)).toEqual([39_999, 39_998, 39_997].map((i) => `common words of number ${i}`));
    expect((await searchAll('mark', 5)).texts).toEqual(MARKS);
    expect((await searchAll('number 30000', 5)).texts).toEqual([]);
    expect((await searchAll('"number 30001"', 5)).texts).toEqual(MONTHS.map(() => 'common words of number 30001'));
    expect((await searchAll('zebra', 5)).texts).toEqual([]);
  });

  it('reads about as much for each of these, where everything is 120,000 messages in some 4,000 pages, and however many users there are', async () => {
    const { sql } = database.connection;
    await sql`INSERT INTO users (id, issuer, subject, handle, display_name) SELECT gen_random_uuid(), 'https://idp.test', n::text, 'user' || n, 'User ' || n FROM generate_series(1, 20) n`;
    expect((await plan('common', NEWEST)).blocks).toBeLessThan(100);
    for (const q of ['mark', 'zebra', '"number 30001"']) {
      for (const source of [NEWEST, 'indexes'] as const) expect({ q, source, blocks: (await plan(q, source)).blocks }).toEqual({ q, source, blocks: expect.toSatisfy((blocks: number) => blocks < 400) });
    }
  });

  it('looks up in history what the page takes, and no more, of whatever is found seldom or often', async () => {
    for (const q of ['common', '999', '"number 3000"', 'mark']) {
      for (const source of [NEWEST, 'indexes'] as const) {
        const { messages } = await plan(q, source, 50);
        expect({ q, source, messages }).toEqual({ q, source, messages: expect.toSatisfy((rows: number) => rows <= 51) });
      }
    }
  });

  it.each(['99', '999', '9999', '39 9', '"number 399"'])('finds the same as a look through all, once each: %s', async (q) => {
    const words = q.startsWith('"') ? [q.slice(1, -1)] : q.split(' ');
    const expected = await database.connection.sql<{ text: string }[]>`
      SELECT m.text FROM messages m WHERE (SELECT bool_and(strpos(m.text, w.word) > 0) FROM jsonb_array_elements_text(${JSON.stringify(words)}::text::jsonb) w (word))
      ORDER BY m.id DESC LIMIT 1000`;
    const { texts } = await searchAll(q, 100);
    expect(texts.slice(0, 1_000)).toEqual(expected.map(({ text }) => text));
  });
});

describe('a search of a time', () => {
  it.each([
    ['common on:2026-10', ['2026_10']],
    ['common before:2026-10', ['2026_09']],
    ['common after:2026-09 before:2026-11', ['2026_10']],
    ['mm on:2026-11-01', ['2026_11']],
  ])('%s looks into its months alone, of the index and of the messages', async (q, months) => {
    for (const source of [NEWEST, 'indexes', 'range'] as const) {
      const tables = [...(await plan(q, source)).text.matchAll(/Relation Name\W+((?:search_)?messages)_(\d{4}_\d{2})/g)].map(([, table, month]) => `${table} ${month}`);
      expect([...new Set(tables)].toSorted()).toEqual(months.flatMap((month) => [`messages ${month}`, `search_messages ${month}`]));
    }
    expect((await search(q, null)).messages.length).toBe(5);
  });
});
