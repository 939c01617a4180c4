import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connect, type Connection } from '../../db/client.ts';
import { editLetter, type EditRequest } from '../../db/dead-letters/edit.ts';
import { countOutcomes, countSelected, discardLetters, previewRedrive, redriveLetters } from '../../db/queries/dead-letter-acts.ts';
import { listActs, listDeadLetters, type NumberedLetter } from '../../db/queries/dead-letter-reads.ts';
import type { Selection } from '../../db/queries/dead-letter-selection.ts';
import { countParkedKeys } from '../../db/queries/parking.ts';
import { created } from '../../tests/support/event-log.ts';
import { type TestDatabase, testDatabase } from '../../tests/support/postgres.ts';
import type { OutgoingRecord } from '../kafka/record-sender.ts';
import { takeBatch } from './batch.ts';
import { InfrastructureError } from './classify.ts';
import { publishDeadLetters } from './dead-letter-publisher.ts';
import type { SourceBatch } from './event-source.ts';
import { createLedger, ledgerGroup, readLedger } from './ledger.fixture.ts';
import { retryDueKey } from './parked-retrier.ts';
import type { SourceRecord } from './record.ts';

const GROUP = 'ledger';
const ALL: Selection = { filter: { group: GROUP } };
const BY = { actor: 'cli:ada', reason: 'fixed the group' };

describe('redriving dead letters', () => {
  let database: TestDatabase;
  let connection: Connection;
  let position: number;
  let cursor: string | null;
  let isPoison: (text: string) => boolean;
  /** Moves an hour on before every retry: each key that waits is due. */
  let ahead: number;
  const chance = { now: () => new Date(Date.now() + ahead), random: () => 1 };
  const group = ledgerGroup(GROUP, {
    before: (events) => {
      for (const { event } of events) if (event.type === 'message.created' && isPoison(event.text)) throw new TypeError('the group stumbles');
    },
  });

  beforeEach(async () => {
    database = await testDatabase();
    connection = database.connection;
    await createLedger(connection.sql);
    [position, cursor, ahead] = [0, null, 0];
    isPoison = (text) => text.startsWith('poison');
  });
  afterEach(() => database.drop());

  function record(key: string, seq: number, text = `message ${seq}`): SourceRecord {
    position += 1;
    const headers = { ce_type: 'colink.message.created.v1', log_position: String(position) };
    return { topic: 'message.events', partition: 3, offset: String(position), key: Buffer.from(key), value: Buffer.from(JSON.stringify(created(seq, text))), headers };
  }

  async function take(records: SourceRecord[], by = group): Promise<unknown> {
    const from = cursor;
    const batch: SourceBatch = { topic: 'message.events', partition: 3, records, cursor: String(position + 1), unseen: (stored) => (stored === from ? records : null) };
    const taken = await takeBatch(connection.sql, by, batch, chance);
    cursor = batch.cursor;
    return taken;
  }

  const retry = () => {
    ahead += 3_600_000;
    return retryDueKey(connection.sql, group, chance);
  };
  /** No queue here takes nearly so many tries: one that is never through is to be seen, not waited for. */
  async function retryAll(): Promise<void> {
    for (let tries = 0; (await retry()) !== null; tries += 1) expect(tries, 'a key stays due').toBeLessThan(1_000);
  }
  const redrive = (selection: Selection = ALL, limit = 100, { db } = connection) => db.transaction((tx) => redriveLetters(tx, { selection, after: null, limit }, BY));
  const edit = (request: Partial<EditRequest> & Pick<EditRequest, 'id' | 'edit'>, { db } = connection) => db.transaction((tx) => editLetter(tx, { by: BY, version: null, ...request }));
  const letters = async (): Promise<NumberedLetter[]> => (await listDeadLetters(connection.db, {}, null, 1_000)).toReversed();
  const actsOf = async (id: string) => (await listActs(connection.db, id, 100)).map(({ act, actor }) => `${act} by ${actor}`);
  const ledgerOf = async (key: string) => (await readLedger(connection.sql, GROUP)).get(key) ?? [];

  /** One pending letter of its own key, and that key. */
  async function oneLetter(): Promise<{ id: string; key: string }> {
    const key = randomUUID();
    await take([record(key, 1, 'poison')]);
    await retryAll();
    const id = (await letters()).at(-1)?.id ?? '';
    isPoison = () => false;
    return { id, key };
  }

  it('gives a letter to its group once, however often it is asked for (G2)', async () => {
    const { id, key } = await oneLetter();
    expect((await redrive()).ids).toEqual([id]);
    expect((await redrive()).ids).toEqual([]);
    expect(await letters()).toMatchObject([{ id, status: 'redriving' }]);
    expect(await countOutcomes(connection.db, [id])).toEqual({ waiting: 1, succeeded: 0, failed: 0 });
    expect(await retry()).toEqual({ applied: 1, dead: 0 });
    expect((await redrive({ ids: [id] })).ids).toEqual([]);
    expect(await retry()).toBeNull();
    expect(await ledgerOf(key)).toEqual([1]);
    expect(await letters()).toMatchObject([{ id, status: 'redriven', attempts: 4 }]);
    expect(await countParkedKeys(connection.sql)).toEqual([]);
    expect(await actsOf(id)).toEqual(['redrive by cli:ada', 'succeed by group:ledger']);
  });

  it('stands before the records of its key that wait, and behind what its group has taken (G3)', async () => {
    const key = randomUUID();
    await take([record(key, 1, 'poison'), record(key, 2)]);
    await retryAll();
    await take([record(key, 3, 'poison'), record(key, 4)]);
    expect(await ledgerOf(key)).toEqual([2]);
    isPoison = () => false;
    await redrive();
    await take([record(key, 5)]);
    await retryAll();
    expect(await ledgerOf(key)).toEqual([2, 1, 3, 4, 5]);
  });

  it('that fails again is pending again with its new failure, after one try, and stops nobody', async () => {
    const key = randomUUID();
    await take([record(key, 1, 'poison'), record(key, 2)]);
    await retryAll();
    const [before] = await letters();
    await redrive();
    await take([record(key, 3)]);
    expect(await retry()).toEqual({ applied: 1, dead: 1 });
    expect(await ledgerOf(key)).toEqual([2, 3]);
    const [letter] = await letters();
    expect(letter).toMatchObject({ status: 'pending', attempts: 5, error_class: 'TypeError', first_failed_at: before?.first_failed_at });
    expect(await actsOf(letter?.id ?? '')).toEqual(['redrive by cli:ada', 'fail by group:ledger']);
    expect(await letters()).toHaveLength(1);
  });

  it('waits out a part that is away: nothing is moved, and it is tried again', async () => {
    const { id, key } = await oneLetter();
    await redrive();
    const away = ledgerGroup(GROUP, { before: () => { throw new InfrastructureError('away'); } });
    await expect(retryDueKey(connection.sql, away, chance)).rejects.toThrow('away');
    expect(await letters()).toMatchObject([{ id, status: 'redriving' }]);
    await retryAll();
    expect(await ledgerOf(key)).toEqual([1]);
  });

  it('of two operators at once each letter goes to one, and each key keeps its order (G2, G3)', async () => {
    const keys = Array.from({ length: 8 }, () => randomUUID());
    await take(keys.flatMap((key) => [1, 2, 3, 4, 5].map((seq) => record(key, seq, 'poison'))));
    await retryAll();
    isPoison = () => false;
    const other = connect(database.url, { max: 1, applicationName: 'colink-test' });
    const operator = async (by: Connection): Promise<string[]> => {
      const moved: string[] = [];
      for (let calls = 0; calls < 12; calls += 1) moved.push(...(await redrive(ALL, 7, by)).ids);
      return moved;
    };
    const retrying = Promise.all([operator(connection), operator(other)]);
    while ((await countSelected(connection.db, ALL)).pending > 0) await retry();
    const [first, second] = await retrying;
    await retryAll();
    await other.close();
    expect([...first, ...second].toSorted()).toEqual((await letters()).map(({ id }) => id).toSorted());
    expect(await readLedger(connection.sql, GROUP)).toEqual(new Map(keys.map((key) => [key, [1, 2, 3, 4, 5]])));
  });

  it('does not overtake the batch its group has under way, nor is it overtaken by the next (G3)', async () => {
    const { key } = await oneLetter();
    const { promise: mayGoOn, resolve: goOn } = Promise.withResolvers<void>();
    const { promise: isTaking, resolve: taking } = Promise.withResolvers<void>();
    const slow = { ...group, apply: async (...args: Parameters<typeof group.apply>) => { taking(); await mayGoOn; await group.apply(...args); } };
    const taken = take([record(key, 2)], slow);
    await isTaking;
    const redriven = redrive();
    await delay(100);
    expect(await letters()).toMatchObject([{ status: 'pending' }]);
    goOn();
    await Promise.all([taken, redriven]);
    expect(await take([record(key, 3)])).toMatchObject({ applied: 0, parked: 1 });
    await retryAll();
    expect(await ledgerOf(key)).toEqual([2, 1, 3]);
  });

  it('that is cut off in the middle has moved nothing (G1)', async () => {
    const { id, key } = await oneLetter();
    const other = connect(database.url, { max: 1, applicationName: 'colink-cut-off' });
    const cutOff = other.db.transaction(async (tx) => {
      await redriveLetters(tx, { selection: ALL, after: null, limit: 100 }, BY);
      await connection.sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'colink-cut-off'`;
    });
    await expect(cutOff).rejects.toThrow(/terminat|closed|ended|reset/i);
    await other.close(0);
    expect(await letters()).toMatchObject([{ id, status: 'pending', version: 1 }]);
    expect([await countParkedKeys(connection.sql), await actsOf(id)]).toEqual([[], []]);
    await redrive();
    await retryAll();
    expect(await ledgerOf(key)).toEqual([1]);
  });

  it('is not held up by a topic of dead letters that does not answer; what fails again meanwhile is sent again', async () => {
    const { id } = await oneLetter();
    isPoison = () => true;
    const { promise: mayGoOn, resolve: goOn } = Promise.withResolvers<void>();
    const { promise: isSending, resolve: sending } = Promise.withResolvers<void>();
    const sent: OutgoingRecord[] = [];
    const sender = { send: async (records: readonly OutgoingRecord[]) => { sending(); await mayGoOn; sent.push(...records); } };
    const published = publishDeadLetters(connection.sql, sender);
    await isSending;
    expect(await publishDeadLetters(connection.sql, sender)).toBe(0);
    expect((await redrive()).ids).toEqual([id]);
    expect(await retry()).toEqual({ applied: 0, dead: 1 });
    goOn();
    expect([await published, await publishDeadLetters(connection.sql, sender), await publishDeadLetters(connection.sql, sender)]).toEqual([1, 1, 0]);
    expect(sent.map(({ headers }) => headers['dlq.attempts'])).toEqual(['4', '5']);
  });

  it('hands over an edit that came before it, and refuses one that comes behind it', async () => {
    const { id, key } = await oneLetter();
    const other = connect(database.url, { max: 1, applicationName: 'colink-test' });
    const value = JSON.stringify(created(7, 'edited'));
    const passedOver = await connection.db.transaction(async (tx) => {
      expect(await editLetter(tx, { id, edit: { value, force: false }, by: BY, version: 1 })).toMatchObject({ ok: { edited: true, version: 2 } });
      return redrive(ALL, 100, other);
    });
    expect(passedOver.ids).toEqual([]);
    const [behind] = await other.db.transaction(async (tx) => {
      await redriveLetters(tx, { selection: ALL, after: null, limit: 100 }, BY);
      const later = edit({ id, edit: { value: JSON.stringify(created(8)), force: false } });
      await delay(50);
      return [later];
    });
    expect(await behind).toMatchObject({ problem: { code: 'conflict' } });
    await other.close();
    await retryAll();
    expect(await ledgerOf(key)).toEqual([7]);
    expect(await actsOf(id)).toEqual(['edit by cli:ada', 'redrive by cli:ada', 'succeed by group:ledger']);
  });

  it('goes on behind what it has redriven, so that what fails again is met once a run', async () => {
    const keys = [randomUUID(), randomUUID(), randomUUID()];
    await take(keys.map((key) => record(key, 1, 'poison')));
    await retryAll();
    const first = await redrive(ALL, 2);
    await retryAll();
    const second = await connection.db.transaction((tx) => redriveLetters(tx, { selection: ALL, after: first.last, limit: 100 }, BY));
    expect([first.ids.length, second.ids.length]).toEqual([2, 1]);
    expect(new Set([...first.ids, ...second.ids]).size).toBe(3);
  });

  it('passes over letters that have no place in a queue until they are edited, and what a drain gave up', async () => {
    const key = randomUUID();
    await take([{ ...record(key, 1), key: null }]);
    await connection.sql`
      INSERT INTO dead_letters (stage, topic, record_key, record_value, headers, error_class, error_message, attempts, first_failed_at, last_failed_at)
      VALUES ('drain', 'message.events', convert_to(${key}, 'UTF8'), '{}'::bytea, '{"channel_seq": "4"}', 'forked_log', '', 1, now(), now())`;
    const everything: Selection = { filter: {} };
    expect(await countSelected(connection.db, everything)).toEqual({ pending: 2, unfit: 2 });
    expect((await redrive(everything)).ids).toEqual([]);
    const [keyless, drained] = await letters();
    expect(await edit({ id: drained?.id ?? '', edit: { key, force: true } })).toMatchObject({ problem: { code: 'conflict' } });
    await edit({ id: keyless?.id ?? '', edit: { key, force: false } });
    expect((await previewRedrive(connection.db, { selection: everything, after: null, limit: 10 })).ids).toEqual([keyless?.id]);
    expect((await redrive(everything)).ids).toEqual([keyless?.id]);
    await retryAll();
    expect(await ledgerOf(key)).toEqual([1]);
  });

  it('an edit is judged by the event\'s schema and the version it was made for, and keeps what came', async () => {
    const { id } = await oneLetter();
    const [original] = await connection.sql<{ record_value: Buffer }[]>`SELECT record_value FROM dead_letters`;
    expect(await edit({ id, edit: { value: '{"type":"message.created"}', force: false } })).toMatchObject({ problem: { code: 'invalid' } });
    expect(await edit({ id, edit: { value: JSON.stringify(created(2)), force: false }, version: 9 })).toEqual({ problem: { code: 'precondition_failed' } });
    expect(await edit({ id: randomUUID(), edit: { value: '{}', force: true } })).toEqual({ problem: { code: 'not_found' } });
    expect(await edit({ id, edit: { value: '\0', force: true } })).toMatchObject({ ok: { redrives: { value: { text: '\0' } }, faults: ['the value is not UTF-8 JSON'], version: 2 } });
    expect(await edit({ id, edit: { value: 'x'.repeat(1024 * 1024 + 1), force: true } })).toMatchObject({ problem: { code: 'invalid' } });
    expect(await connection.sql`SELECT record_value FROM dead_letters`).toMatchObject([original]);
    expect(await actsOf(id)).toEqual(['edit by cli:ada']);
  });

  it('what is discarded is gone for good, with who and why', async () => {
    const { id } = await oneLetter();
    const discard = () => connection.db.transaction((tx) => discardLetters(tx, ALL, 100, BY));
    expect([await discard(), await discard()]).toEqual([[id], []]);
    expect((await redrive()).ids).toEqual([]);
    expect(await edit({ id, edit: { value: '{}', force: true } })).toMatchObject({ problem: { code: 'conflict' } });
    expect(await listActs(connection.db, id, 10)).toMatchObject([{ act: 'discard', actor: 'cli:ada', reason: 'fixed the group' }]);
  });

  it('keeps every act as it was written', async () => {
    await oneLetter();
    await redrive();
    for (const change of ['UPDATE dead_letter_acts SET actor = \'nobody\'', 'DELETE FROM dead_letter_acts', 'TRUNCATE dead_letter_acts']) {
      await expect(connection.sql.unsafe(change)).rejects.toThrow('takes new rows only');
    }
  });
});
