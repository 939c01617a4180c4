import { sql as statement } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { integer, seededRandom } from '../client/testing/random.ts';
import { testDatabase, type TestDatabase } from '../tests/support/postgres.ts';
import { seedsOfRun } from '../tests/support/seed.ts';
import type { Database, Sql } from './client.ts';
import { findPlace, findPosAt, posAtStatement } from './queries/message-places.ts';

let database: TestDatabase;
let sql: Sql;
let db: Database;
let credential: string;
let user: string;
beforeAll(async () => {
  database = await testDatabase();
  ({ sql, db } = database.connection);
  await sql`SELECT premake_partitions(2, 1, now() - interval '40 days')`;
  [user, credential] = [uuidv7(), uuidv7()];
  await sql`INSERT INTO users (id, issuer, subject, handle, display_name) VALUES (${user}, 'test', ${user}, ${user}, 'U')`;
  await sql`
    INSERT INTO credentials (id, secret_hash, kind, user_id, name, scopes, expires_at)
    VALUES (${credential}, convert_to(${credential}::text, 'UTF8'), 'personal', ${user}, 'test', '{}', now() + interval '1 hour')`;
});
afterAll(() => database.drop());

async function channel(isMember = true): Promise<string> {
  const id = uuidv7();
  await sql`INSERT INTO channels (id, kind, name, created_by) VALUES (${id}, 'public', ${id}, ${user})`;
  if (isMember) await sql`INSERT INTO members (channel_id, user_id, role, version) VALUES (${id}, ${user}, 'member', 1)`;
  return id;
}

/** Top-level messages of these moments, in epoch milliseconds, in this order; `missing`: those that Postgres could not take. */
async function write(channelId: string, times: readonly number[], missing: ReadonlySet<number> = new Set()): Promise<void> {
  const rows = times.map((at, index) => ({ pos: index + 1, at: new Date(at).toISOString() })).filter(({ pos }) => !missing.has(pos));
  await sql`
    INSERT INTO messages (id, channel_id, seq, pos, author_id, client_msg_id, text, created_at)
    SELECT (left(uuid_floor(r.at)::text, 19) || '8' || lpad(to_hex(r.pos), 3, '0') || '-' || substr(${channelId}, 25))::uuid, ${channelId}, r.pos, r.pos, ${user}, 'c' || r.pos, 'x', r.at
    FROM jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) AS r (pos integer, at timestamptz)`;
  await sql`INSERT INTO conversation_logs (channel_id, drained_seq, drained_pos) VALUES (${channelId}, ${times.length}, ${times.length})`;
}

const DAY = 86_400_000;
const posAt = (channelId: string, at: number) => findPosAt(db, credential, channelId, new Date(at));

describe('the first message at or after a time', () => {
  it.each(seedsOfRun(3))('is the one that looking through all of them finds, whatever is missing (seed %i)', async (seed) => {
    const random = seededRandom(seed);
    const id = await channel();
    const end = Date.now();
    const times = Array.from({ length: 1 + integer(random, 60) }, () => end - integer(random, 35 * DAY)).toSorted((a, b) => a - b);
    const missing = new Set(times.flatMap((_, index) => (random() < 0.2 ? [index + 1] : [])));
    await write(id, times, missing);
    for (const at of [...times, ...times.map((time) => time + 1), 0, -5, end + DAY]) {
      const first = times.findIndex((time, index) => time >= at && !missing.has(index + 1));
      const [found] = await sql<{ pos: number }[]>`SELECT m.pos::int AS pos FROM messages m WHERE m.channel_id = ${id} AND m.pos >= ${await posAt(id, at)} ORDER BY m.pos LIMIT 1`;
      expect(found?.pos).toBe(first < 0 ? undefined : first + 1);
    }
  });

  it('is one above the last where there is none, and 1 in a channel without messages, or for who is no member', async () => {
    const [full, empty, foreign] = [await channel(), await channel(), await channel(false)];
    const now = Date.now();
    for (const id of [full, foreign]) await write(id, [now - 2, now - 1]);
    expect(await Promise.all([posAt(full, now), posAt(empty, now), posAt(foreign, now)])).toEqual([3, 1, 1]);
  });

  it('is found by a row of an index a step, in as many steps as there are halves (G8)', async () => {
    const id = await channel();
    const start = Date.now() - 30 * DAY;
    await write(id, Array.from({ length: 4_000 }, (_, index) => start + index * 600_000));
    await sql`ANALYZE messages`;
    expect(await posAt(id, start + 3_210 * 600_000 - 1)).toBe(3_211);
    const plan = await db.execute(statement`EXPLAIN (ANALYZE, FORMAT JSON) ${posAtStatement(credential, id, new Date(start + 3_210 * 600_000 - 1))}`);
    const nodes = flat(plan[0]?.['QUERY PLAN']).filter(({ relation }) => relation.startsWith('messages'));
    expect(nodes.filter(({ type, index }) => type !== 'Index Scan' || !index.includes('channel_id_pos'))).toEqual([]);
    for (const { loops, rows } of nodes) expect([loops <= 13, rows <= 1]).toEqual([true, true]);
  });
});

interface Node {
  readonly type: string;
  readonly relation: string;
  readonly index: string;
  readonly loops: number;
  readonly rows: number;
}

function flat(plan: unknown): Node[] {
  if (Array.isArray(plan)) return plan.flatMap(flat);
  if (typeof plan !== 'object' || plan === null) return [];
  const node = new Map<string, unknown>(Object.entries(plan));
  const own = { type: String(node.get('Node Type')), relation: String(node.get('Relation Name') ?? ''), index: String(node.get('Index Name') ?? ''), loops: Number(node.get('Actual Loops')), rows: Number(node.get('Actual Rows')) };
  return [own, ...flat(node.get('Plan')), ...flat(node.get('Plans'))];
}

it('a message is placed for members alone: another\'s is as unknown as none (G5)', async () => {
  const [mine, foreign] = [await channel(), await channel(false)];
  for (const id of [mine, foreign]) await write(id, [Date.now()]);
  const idIn = async (channelId: string) => (await sql<{ id: string }[]>`SELECT m.id FROM messages m WHERE m.channel_id = ${channelId}`)[0]?.id ?? '';
  const message_id = await idIn(mine);
  expect(await findPlace(db, credential, message_id)).toEqual({ ok: { message_id, channel_id: mine, pos: 1, thread_id: null, tpos: null, history_pos: 1 } });
  for (const other of [await idIn(foreign), uuidv7()]) expect(await findPlace(db, credential, other)).toEqual({ problem: { code: 'not_found' } });
  expect(await findPlace(db, uuidv7(), message_id)).toEqual({ problem: { code: 'unauthenticated' } });
});
