import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Sql } from '../../db/client.ts';
import { countParkedKeys } from '../../db/queries/parking.ts';
import type { ChannelEvent } from '../../protocol/events.ts';
import { created } from '../../tests/support/event-log.ts';
import { type TestDatabase, testDatabase } from '../../tests/support/postgres.ts';
import { takeBatch } from './batch.ts';
import { InfrastructureError } from './classify.ts';
import type { SourceBatch } from './event-source.ts';
import { createLedger, ledgerGroup, type LedgerFaults, readLedger } from './ledger.fixture.ts';
import { retryDueKey } from './parked-retrier.ts';
import type { SourceRecord } from './record.ts';

const GROUP = 'ledger';
const [BAD, GOOD] = [randomUUID(), randomUUID()];

/** Keys whose events fail while their text says so. */
const faults = (isFailing: (text: string) => boolean): LedgerFaults => ({
  before: (events) => {
    for (const { event } of events) if (event.type === 'message.created' && isFailing(event.text)) throw new TypeError('the group stumbles');
  },
});

describe('batch transaction', () => {
  let database: TestDatabase;
  let sql: Sql;
  let now: number;
  let position: number;
  const chance = { now: () => new Date(now), random: () => 1 };

  beforeEach(async () => {
    database = await testDatabase();
    sql = database.connection.sql;
    await createLedger(sql);
    now = Date.UTC(2026, 10, 23, 12);
    position = 0;
  });

  afterEach(() => database.drop());

  function record(key: string, seq: number, text = `message ${seq}`): SourceRecord {
    position += 1;
    const headers = { ce_type: 'colink.message.created.v1', log_position: String(position), 'x-raw': Buffer.from([0, 255]) };
    return { topic: 'message.events', partition: 3, offset: String(position), key: Buffer.from(key), value: Buffer.from(JSON.stringify(created(seq, text))), headers };
  }

  function batchOf(records: SourceRecord[], from: string | null = null): SourceBatch {
    return { topic: 'message.events', partition: 3, records, cursor: String(position + 1), unseen: (stored) => (stored === from ? records : null) };
  }

  const letters = () => sql<{ error_class: string; attempts: number; record_value: Buffer; headers: Record<string, string>; record_offset: string; group_id: string }[]>`
    SELECT error_class, attempts, record_value, headers, record_offset, group_id FROM dead_letters ORDER BY record_offset::bigint`;

  async function retryAfter(seconds: number, group = ledgerGroup(GROUP)) {
    now += seconds * 1_000;
    return retryDueKey(sql, group, chance);
  }

  it('G3: parks the key that fails, queues its later records, and lets other keys go on', async () => {
    const group = ledgerGroup(GROUP, faults((text) => text === 'poison'));
    const first = batchOf([record(GOOD, 1), record(BAD, 1), record(BAD, 2, 'poison'), record(GOOD, 2), record(BAD, 3)]);
    expect(await takeBatch(sql, group, first, chance)).toEqual({ applied: 3, duplicates: 0, parked: 2, dead: 0 });
    const second = batchOf([record(BAD, 4), record(GOOD, 3)], first.cursor);
    expect(await takeBatch(sql, group, second, chance)).toEqual({ applied: 1, duplicates: 0, parked: 1, dead: 0 });
    expect(await readLedger(sql, GROUP)).toEqual(new Map([[GOOD, [1, 2, 3]], [BAD, [1]]]));

    expect(await retryAfter(1)).toBeNull();
    expect(await retryAfter(60)).toEqual({ applied: 3, dead: 0 });
    expect(await readLedger(sql, GROUP)).toEqual(new Map([[GOOD, [1, 2, 3]], [BAD, [1, 2, 3, 4]]]));
    expect(await countParkedKeys(sql)).toEqual([]);
    await takeBatch(sql, group, batchOf([record(BAD, 5)], second.cursor), chance);
    expect((await readLedger(sql, GROUP)).get(BAD)).toEqual([1, 2, 3, 4, 5]);
  });

  it('G3: finds each record that fails among many, in few tries, whatever else fails', async () => {
    const keys = Array.from({ length: 64 }, () => randomUUID());
    const isBad = (n: number): boolean => n === 17 || n === 40;
    let tries = 0;
    const stumbling = faults((text) => text === 'poison');
    const group = ledgerGroup(GROUP, { before: (events) => ((tries += 1), stumbling.before?.(events)) });
    const records = [1, 2, 3].flatMap((seq) => keys.map((key, n) => record(key, seq, seq === 2 && isBad(n) ? 'poison' : 'good')));
    expect(await takeBatch(sql, group, batchOf(records), chance)).toEqual({ applied: 62 * 3 + 2, duplicates: 0, parked: 4, dead: 0 });
    expect(tries).toBeLessThan(40);
    expect(await readLedger(sql, GROUP)).toEqual(new Map(keys.map((key, n) => [key, isBad(n) ? [1] : [1, 2, 3]])));
    expect(await retryAfter(60)).toEqual({ applied: 2, dead: 0 });
    expect(await retryAfter(0)).toEqual({ applied: 2, dead: 0 });
    expect(await readLedger(sql, GROUP)).toEqual(new Map(keys.map((key) => [key, [1, 2, 3]])));
  });

  it('gives a record up after 3 retries, byte by byte, and goes on behind it', async () => {
    const group = ledgerGroup(GROUP, faults((text) => text === 'poison'));
    const poison = record(BAD, 1, 'poison');
    await takeBatch(sql, group, batchOf([poison, record(BAD, 2), record(GOOD, 1)]), chance);
    expect(await retryAfter(60, group)).toEqual({ applied: 0, dead: 0 });
    expect(await retryAfter(60, group)).toEqual({ applied: 0, dead: 0 });
    expect(await letters()).toEqual([]);
    expect(await retryAfter(60, group)).toEqual({ applied: 1, dead: 1 });
    expect(await letters()).toEqual([
      {
        error_class: 'TypeError', attempts: 4, group_id: GROUP, record_offset: poison.offset, record_value: poison.value,
        headers: { ce_type: 'colink.message.created.v1', log_position: '1', 'x-raw': 'base64:AP8=' },
      },
    ]);
    expect((await readLedger(sql, GROUP)).get(BAD)).toEqual([2]);
    expect(await retryAfter(600, group)).toBeNull();
  });

  it('waits longer before each retry', async () => {
    const group = ledgerGroup(GROUP, faults(() => true));
    await takeBatch(sql, group, batchOf([record(BAD, 1)]), chance);
    const waits: number[] = [];
    for (let retry = 0; retry < 3; retry += 1) {
      const [parked] = await sql<[{ due: number }]>`SELECT (extract(epoch FROM next_retry_at) * 1000)::float8 AS due FROM parked_keys`;
      waits.push(parked.due - now);
      now = parked.due;
      await retryDueKey(sql, group, chance);
    }
    expect(waits).toEqual([2_000, 4_000, 8_000]);
    expect(await letters()).toHaveLength(1);
  });

  it('moves nothing when a part it needs is away, in the batch and in a retry', async () => {
    const away = ledgerGroup(GROUP, { after: () => { throw new InfrastructureError('away'); } });
    const batch = batchOf([record(GOOD, 1)]);
    await expect(takeBatch(sql, away, batch, chance)).rejects.toThrow('away');
    expect(await takeBatch(sql, ledgerGroup(GROUP), batch, chance)).toMatchObject({ applied: 1 });
    await takeBatch(sql, ledgerGroup(GROUP, faults(() => true)), batchOf([record(BAD, 1)], batch.cursor), chance);
    await expect(retryAfter(60, away)).rejects.toThrow('away');
    expect(await retryAfter(0)).toEqual({ applied: 1, dead: 0 });
  });

  it('lets a poison record neither stop its key nor the batch', async () => {
    const good = record(BAD, 1);
    const poisons: SourceRecord[] = [
      { ...record(BAD, 2), value: null },
      { ...record(BAD, 3), value: Buffer.from('not json') },
      { ...record(BAD, 4), key: null },
      { ...record(BAD, 5), key: Buffer.from('no uuid') },
      { ...record(BAD, 6), headers: { 'nul\0name': Buffer.from([0]) } },
      { ...record(BAD, 7), value: Buffer.from(JSON.stringify(created(7, 'a\0b'))) },
    ];
    const result = await takeBatch(sql, ledgerGroup(GROUP), batchOf([good, ...poisons, record(BAD, 8)]), chance);
    expect(result).toEqual({ applied: 2, duplicates: 0, parked: 0, dead: 6 });
    expect((await readLedger(sql, GROUP)).get(BAD)).toEqual([1, 8]);
    expect((await letters()).map(({ error_class }) => error_class)).toEqual(['no_value', 'bad_json', 'bad_key', 'bad_key', 'bad_type', 'bad_shape']);
  });

  it('G2: takes repetitions once, whether they were applied, parked or given up', async () => {
    const group = ledgerGroup(GROUP, faults((text) => text === 'poison'));
    const records = [record(GOOD, 1), record(BAD, 1, 'poison'), { ...record(GOOD, 2), value: null }];
    const first = batchOf(records);
    await takeBatch(sql, group, first, chance);
    expect(await takeBatch(sql, group, batchOf(records, first.cursor), chance)).toEqual({ applied: 0, duplicates: 3, parked: 0, dead: 0 });
    expect(await retryAfter(60)).toEqual({ applied: 1, dead: 0 });
    expect(await letters()).toHaveLength(1);
    expect(await readLedger(sql, GROUP)).toEqual(new Map([[GOOD, [1]], [BAD, [1]]]));
  });

  it('G2: of two readers of one stream, the one that is behind takes nothing', async () => {
    const group = ledgerGroup(GROUP);
    const batch = batchOf([record(GOOD, 1), record(GOOD, 2)]);
    const outcomes = await Promise.all([takeBatch(sql, group, batch, chance), takeBatch(sql, group, batch, chance)]);
    expect(outcomes.filter((outcome) => outcome === null)).toHaveLength(1);
    expect((await readLedger(sql, GROUP)).get(GOOD)).toEqual([1, 2]);
  });

  it('G3: a record that arrives while its key is being retried waits for the outcome', async () => {
    await takeBatch(sql, ledgerGroup(GROUP, faults(() => true)), batchOf([record(BAD, 1)]), chance);
    const { promise: mayGoOn, resolve: goOn } = Promise.withResolvers<void>();
    const { promise: isRetrying, resolve: retrying } = Promise.withResolvers<void>();
    const base = ledgerGroup(GROUP);
    const slow = { ...base, apply: async (...args: Parameters<typeof base.apply>) => { retrying(); await mayGoOn; await base.apply(...args); } };
    const retried = retryAfter(60, slow);
    await isRetrying;
    let isTaken = false;
    const batch = takeBatch(sql, base, batchOf([record(BAD, 2)], '2'), chance).finally(() => {
      isTaken = true;
    });
    await delay(100);
    expect(isTaken).toBe(false);
    goOn();
    expect([await retried, await batch]).toEqual([{ applied: 1, dead: 0 }, { applied: 1, duplicates: 0, parked: 0, dead: 0 }]);
    expect((await readLedger(sql, GROUP)).get(BAD)).toEqual([1, 2]);
  });

  it('tells a group only what it reads', async () => {
    const seen: ChannelEvent['type'][] = [];
    const group = ledgerGroup(GROUP, { before: (events) => void seen.push(...events.map(({ event }) => event.type)) });
    const passed = { ...record(GOOD, 1), headers: { ce_type: 'colink.reaction.added.v1', log_position: '1' }, value: Buffer.from('{}') };
    expect(await takeBatch(sql, group, batchOf([passed, record(GOOD, 2)]), chance)).toMatchObject({ applied: 1, dead: 0 });
    expect(seen).toEqual(['message.created']);
  });
});
