import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { seededRandom } from '../../client/testing/random.ts';
import { connect, type Connection } from '../../db/client.ts';
import { editLetter } from '../../db/dead-letters/edit.ts';
import { discardLetters, redriveLetters } from '../../db/queries/dead-letter-acts.ts';
import { listDeadLetters } from '../../db/queries/dead-letter-reads.ts';
import type { Selection } from '../../db/queries/dead-letter-selection.ts';
import { created } from '../../tests/support/event-log.ts';
import { type TestDatabase, testDatabase } from '../../tests/support/postgres.ts';
import { seedOfRun } from '../../tests/support/seed.ts';
import { takeBatch } from './batch.ts';
import { InfrastructureError } from './classify.ts';
import { createLedger, ledgerGroup, readLedger } from './ledger.fixture.ts';
import { retryDueKey } from './parked-retrier.ts';
import type { SourceRecord } from './record.ts';

const GROUP = 'ledger';
const ALL: Selection = { filter: { group: GROUP } };
const BY = { actor: 'cli:ada', reason: 'at random' };
const STEPS = 60;
const seed = seedOfRun();

let database: TestDatabase;
let other: Connection;
beforeAll(async () => {
  database = await testDatabase();
  other = connect(database.url, { max: 2, applicationName: 'colink-test' });
  await createLedger(database.connection.sql);
});
afterAll(async () => {
  await other.close(1);
  await database.drop();
});

it(`whatever operators, retries and live records do at once, each record is done once, waits, is dead or discarded (seed ${seed}) (G2, G3)`, async () => {
  const { db, sql } = database.connection;
  const random = seededRandom(seed);
  const below = (bound: number): number => Math.floor(random() * bound);
  const keys = Array.from({ length: 5 }, () => randomUUID());
  const seqs = new Map<string, number>();
  let [position, cursor, ahead, faulty, away] = [0, '', 0, 0.3, false];
  const chance = { now: () => new Date(Date.now() + ahead), random };
  const group = ledgerGroup(GROUP, {
    before: () => {
      if (random() < faulty) throw new TypeError('the group stumbles');
    },
    after: () => {
      if (away && random() < 0.2) throw new InfrastructureError('away');
    },
  });

  function record(): SourceRecord {
    const key = keys[below(keys.length)] ?? '';
    const seq = (seqs.get(key) ?? 0) + 1;
    seqs.set(key, seq);
    position += 1;
    const isPoison = random() < 0.1;
    const headers = { ce_type: `colink.message.created.v${isPoison ? 9 : 1}`, log_position: String(position) };
    return { topic: 'message.events', partition: 0, offset: String(position), key: Buffer.from(key), value: Buffer.from(JSON.stringify(created(seq))), headers };
  }

  async function take(): Promise<void> {
    const records = Array.from({ length: below(8) + 1 }, record);
    const [from, to] = [cursor, String(position)];
    cursor = to;
    const batch = { topic: 'message.events' as const, partition: 0, records, cursor: to, unseen: (stored: string | null) => ((stored ?? '') === from ? records : null) };
    while ((await takeBatch(sql, group, batch, chance).catch(() => null)) === null);
  }

  const retry = () => {
    ahead += 3_600_000;
    return retryDueKey(sql, group, chance).catch(() => null);
  };
  const redrive = ({ db: by }: Connection, limit: number) => by.transaction((tx) => redriveLetters(tx, { selection: ALL, after: null, limit }, BY));
  const pendingIds = async (): Promise<string[]> => (await listDeadLetters(db, { group: GROUP, status: 'pending' }, null, 1_000)).map(({ id }) => id);
  const edit = async (id: string) => db.transaction((tx) => editLetter(tx, { id, edit: { headers: { ce_type: 'colink.message.created.v1' }, force: false }, by: BY, version: null }));
  async function act(): Promise<unknown> {
    const ids = await pendingIds();
    const id = ids[below(ids.length)];
    const dice = random();
    if (dice < 0.3) return Promise.all([redrive(database.connection, below(4) + 1), redrive(other, below(4) + 1)]);
    if (id !== undefined && dice < 0.5) return Promise.all([edit(id), redrive(other, 10)]);
    if (id !== undefined && dice < 0.55) return other.db.transaction((tx) => discardLetters(tx, { ids: [id] }, 1, BY));
    return retry();
  }

  async function expectReconciled(): Promise<void> {
    const [counts] = await sql<[{ done: number; waiting: number; dead: number; discarded: number; redriving: number; queued: number }]>`
      SELECT (SELECT count(*)::integer FROM ledger) AS done, (SELECT count(*)::integer FROM parked_records) AS waiting,
        (SELECT count(*)::integer FROM dead_letters WHERE status = 'pending') AS dead, (SELECT count(*)::integer FROM dead_letters WHERE status = 'discarded') AS discarded,
        (SELECT count(*)::integer FROM dead_letters WHERE status = 'redriving') AS redriving,
        (SELECT count(*)::integer FROM parked_records WHERE dead_letter_id IS NOT NULL) AS queued`;
    expect(counts.done + counts.waiting + counts.dead + counts.discarded).toBe(position);
    expect(counts.redriving).toBe(counts.queued);
  }

  away = true;
  for (let step = 0; step < STEPS; step += 1) {
    await Promise.all([take(), act(), retry()]);
    await expectReconciled();
  }
  [faulty, away] = [0, false];
  while ((await retry()) !== null);
  for (const id of await pendingIds()) await edit(id);
  while ((await redrive(other, 100)).ids.length > 0);
  while ((await retry()) !== null);
  await expectReconciled();
  const [gone] = await sql<[{ n: number; open: number }]>`
    SELECT (count(*) FILTER (WHERE status = 'discarded'))::integer AS n, (count(*) FILTER (WHERE status IN ('pending', 'redriving')))::integer AS open FROM dead_letters`;
  const taken = [...(await readLedger(sql, GROUP)).values()];
  for (const seqsOfKey of taken) expect(new Set(seqsOfKey).size).toBe(seqsOfKey.length);
  expect([taken.flat().length, gone.open]).toEqual([position - gone.n, 0]);
  const untouched = await sql<{ key: string; seqs: number[] }[]>`
    SELECT l.key::text AS key, json_agg(l.seq ORDER BY l.place) AS seqs FROM ledger l
    WHERE NOT EXISTS (SELECT FROM dead_letters d WHERE d.record_offset = l.position::text) GROUP BY l.key`;
  for (const { seqs: inOrder } of untouched) expect(inOrder).toEqual(inOrder.toSorted((a, b) => a - b));
});
