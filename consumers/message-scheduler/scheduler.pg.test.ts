import { uuidv7 } from 'uuidv7';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { seededRandom } from '../../client/testing/random.ts';
import type { Sql } from '../../db/client.ts';
import { claimScheduled, purgeScheduled, readOldestScheduled } from '../../db/queries/scheduled-sending.ts';
import type { DueAnswer, DueMessage } from '../../protocol/scheduled-messages.ts';
import { eventually } from '../../tests/support/event-log.ts';
import { type TestDatabase, testDatabase } from '../../tests/support/postgres.ts';
import { seedOfRun } from '../../tests/support/seed.ts';
import { insertChannel, insertUser } from '../../tests/support/webhook-bed.ts';
import type { Service } from '../runtime/service.ts';
import { createScheduler } from './scheduler.ts';

let database: TestDatabase;
let sql: Sql;
let author: string;
let channel: string;
let services: Service[];
let calls: DueMessage[];
let errors: unknown[];
let answer: (due: DueMessage) => DueAnswer | Promise<DueAnswer>;

beforeEach(async () => {
  database = await testDatabase();
  sql = database.connection.sql;
  author = await insertUser(sql);
  channel = await insertChannel(sql, [author]);
  [services, calls, errors] = [[], [], []];
  answer = () => ({ status: 'sent', message_id: uuidv7() });
});
afterEach(async () => {
  await Promise.all(services.map((service) => service.drain()));
  await database.drop();
});

function start(): Service {
  const service = createScheduler({
    sql,
    send: async (due) => {
      calls.push(due);
      return answer(due);
    },
    random: Math.random,
    onSettled: () => {},
    onError: (error) => errors.push(error),
  });
  services.push(service);
  void service.run();
  return service;
}

interface Wishes {
  readonly by?: string;
  readonly to?: string;
  readonly text?: string;
}

/** `inMs`: from now; below 0: it has been due for so long. */
async function schedule(inMs: number, { by = author, to = channel, text = 'later' }: Wishes = {}): Promise<string> {
  const id = uuidv7();
  await sql`
    INSERT INTO scheduled_messages (id, author_id, channel_id, text, send_at, due_at)
    VALUES (${id}, ${by}, ${to}, ${text}, now() + make_interval(secs => ${inMs / 1_000}), now() + make_interval(secs => ${inMs / 1_000}))`;
  return id;
}

const rows = () => sql<{ id: string; status: string; failure: string | null; text: string; attempts: number; is_leased: boolean }[]>`
  SELECT id, status, failure, text, attempts, lease IS NOT NULL AS is_leased FROM scheduled_messages ORDER BY send_at, id`;
const settled = async (): Promise<boolean> => (await rows()).every(({ status }) => status !== 'pending');
const pauseFor = (ms: number): Promise<void> => new Promise((resolve) => {
  setTimeout(resolve, ms);
});

describe('what is due', () => {
  it('is sent, by Postgres\' clock and not before, and keeps no text (G2)', async () => {
    const begun = Date.now();
    const [now, soon] = [await schedule(-60_000, { text: 'at once' }), await schedule(1_500, { text: 'in a while' })];
    start();
    await eventually(settled);
    expect(Date.now() - begun).toBeGreaterThan(1_400);
    expect(calls.map(({ id, text }) => [id, text])).toEqual([[now, 'at once'], [soon, 'in a while']]);
    expect(await rows()).toMatchObject([{ status: 'sent', text: '', is_leased: false }, { status: 'sent', text: '', is_leased: false }]);
  });

  const seed = seedOfRun();
  it(`of an author and a channel goes out in the order of its time, whatever fails meanwhile; others do not wait for it (seed ${seed}) (G3)`, async () => {
    const random = seededRandom(seed);
    const elsewhere = await insertChannel(sql, [author]);
    const ids: string[] = [];
    for (let n = 0; n < 12; n += 1) ids.push(await schedule(-60_000 + n * 1_000));
    const other = await schedule(-1, { to: elsewhere });
    let failures = 0;
    const sent: string[] = [];
    answer = async ({ id }) => {
      await pauseFor(random() * 20);
      if (id === other || random() < 0.7 || (failures += 1) > 4) {
        sent.push(id);
        return { status: 'sent', message_id: uuidv7() };
      }
      return { status: failures % 2 === 0 ? 'backlogged' : 'unavailable' };
    };
    start();
    start();
    start();
    await eventually(async () => calls.some(({ id }) => id === other), 10_000);
    await eventually(settled, 25_000);
    expect(sent.filter((id) => id !== other)).toEqual(ids);
  });

  it('is sent by one of many processes, once', async () => {
    const others = await Promise.all(Array.from({ length: 40 }, async () => insertUser(sql)));
    for (const by of others) await schedule(-1_000, { by });
    for (let n = 0; n < 4; n += 1) start();
    await eventually(settled, 10_000);
    expect(calls.map(({ author_id }) => author_id).toSorted()).toEqual(others.toSorted());
  });

  it('that is refused has failed, with the reason, and is not tried again; what waits behind it goes on', async () => {
    const [bad, good] = [await schedule(-2_000), await schedule(-1_000)];
    answer = ({ id }) => (id === bad ? { status: 'refused', failure: 'not_a_member' } : { status: 'sent', message_id: uuidv7() });
    start();
    await eventually(settled);
    expect(await rows()).toMatchObject([{ id: bad, status: 'failed', failure: 'not_a_member', text: 'later' }, { id: good, status: 'sent' }]);
    expect(calls).toHaveLength(2);
  });

  it('waits where it cannot be sent, is marked as perhaps sent where nobody knows, and is sent when that is over (G1)', async () => {
    await schedule(-120_000);
    answer = () => Promise.reject(new Error('the Worker is away'));
    start();
    await eventually(() => calls.length >= 2);
    await pauseFor(50);
    expect(await rows()).toMatchObject([{ status: 'pending', is_leased: true }]);
    expect(Date.now() - ((await readOldestScheduled(sql)) ?? 0)).toBeGreaterThan(119_000);
    answer = () => ({ status: 'backlogged' });
    await eventually(async () => (await rows()).every(({ is_leased }) => !is_leased), 10_000);
    answer = () => ({ status: 'sent', message_id: uuidv7() });
    await eventually(settled, 10_000);
    expect(await readOldestScheduled(sql)).toBeNull();
    expect(errors.length).toBeGreaterThan(0);
  });

  it('is finished by a process that ends, before it ends (G1)', async () => {
    await schedule(-1_000);
    const { promise, resolve } = Promise.withResolvers<void>();
    answer = async () => {
      await promise;
      return { status: 'sent', message_id: uuidv7() };
    };
    const service = start();
    await eventually(() => calls.length === 1);
    const ended = service.drain();
    await schedule(-1_000);
    resolve();
    await ended;
    expect((await rows()).map(({ status }) => status).toSorted()).toEqual(['pending', 'sent']);
  });
});

it('what was settled long ago is purged, what waits is not', async () => {
  await schedule(-1_000);
  const waiting = await schedule(3_600_000);
  start();
  await eventually(async () => (await rows()).some(({ status }) => status === 'sent'));
  expect(await purgeScheduled(sql, new Date(Date.now() - 60_000), 10)).toBe(0);
  expect(await purgeScheduled(sql, new Date(Date.now() + 60_000), 10)).toBe(1);
  expect(await rows()).toMatchObject([{ id: waiting }]);
});

it('is found by indexes, however much waits for later (G8)', async () => {
  const authors = await Promise.all(Array.from({ length: 20 }, () => insertUser(sql)));
  await sql`
    INSERT INTO scheduled_messages (id, author_id, channel_id, text, send_at, due_at)
    SELECT gen_random_uuid(), (a.value #>> '{}')::uuid, ${channel}, 'x', now() + make_interval(mins => n), now() + make_interval(mins => n)
    FROM generate_series(1, 1000) n, jsonb_array_elements(${JSON.stringify(authors)}::text::jsonb) a`;
  await sql`ANALYZE scheduled_messages`;
  const due = await schedule(-1_000);
  const [claimed, scans] = await sql.begin(async (tx) => [
    await claimScheduled(tx, { lease: uuidv7(), leaseMs: 1_000, most: 32 }),
    await tx<{ seq_scan: string; idx_tup_fetch: string }[]>`SELECT seq_scan, idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'scheduled_messages'`,
  ]);
  expect(claimed.map(({ id }) => id)).toEqual([due]);
  expect(Number(scans[0]?.seq_scan)).toBe(0);
  expect(Number(scans[0]?.idx_tup_fetch)).toBeLessThan(10);
});
