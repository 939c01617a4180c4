import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Sql } from '../client.ts';
import { created, deleted, edited } from '../../tests/support/event-log.ts';
import { createConversation, EventWriter } from '../../tests/support/conversation.ts';
import { type TestDatabase, testDatabase } from '../../tests/support/postgres.ts';
import { drainBatch } from '../queries/drain.ts';
import { clearLettersOfDeleted, clearLettersOfUser, purgeSettledLetters } from '../queries/dead-letter-retention.ts';
import { insertDeadLetters } from '../queries/dead-letters.ts';
import { insertParkedKeys, queueParkedRecords, type StoredRecord } from '../queries/parking.ts';

const GROUP = 'search-indexer';
const TOPIC = 'message.events';
const FAILURE = { errorClass: 'TypeError', errorMessage: 'a failure', firstFailedAt: new Date().toISOString(), lastFailedAt: new Date().toISOString() };
const SECRET = 'a secret';

let database: TestDatabase;
let sql: Sql;
let position: number;
beforeEach(async () => {
  database = await testDatabase();
  [sql, position] = [database.connection.sql, 0];
});
afterEach(() => database.drop());

function record(key: string, value: unknown, type: string): StoredRecord {
  position += 1;
  const bytes = typeof value === 'string' ? Buffer.from(value) : Buffer.from(JSON.stringify(value));
  return { partition: 0, offset: String(position), key: Buffer.from(key), value: bytes, headers: { ce_type: `colink.${type}.v1`, log_position: String(position) } };
}

async function giveUp(...records: StoredRecord[]): Promise<void> {
  await insertDeadLetters(sql, records.map((one) => ({ ...FAILURE, groupId: GROUP, topic: TOPIC, record: one, attempts: 4 })));
}

async function park(key: string, ...records: StoredRecord[]): Promise<void> {
  await insertParkedKeys(sql, [{ ...FAILURE, groupId: GROUP, topic: TOPIC, key, attempts: 1, nextRetryAt: new Date().toISOString() }]);
  await queueParkedRecords(sql, GROUP, TOPIC, records.map((one) => ({ parkedKey: key, record: one })));
}

const letters = () => sql<{ position: number; status: string; held: boolean; error: string }[]>`
  SELECT (d.headers ->> 'log_position')::integer AS position, d.status, num_nonnulls(d.record_value, d.edited_value) > 0 AS held, d.error_message AS error
  FROM dead_letters d ORDER BY 1`;
const waiting = async () => (await sql<{ position: number }[]>`SELECT r.position::integer AS position FROM parked_records r ORDER BY 1`).map((row) => row.position);
const isAnywhere = async (text: string) => {
  const [row] = await sql<[{ found: boolean }]>`
    SELECT EXISTS (SELECT FROM dead_letters d WHERE d.error_message LIKE ${`%${text}%`} OR position(convert_to(${text}, 'UTF8') IN coalesce(d.record_value, '') || coalesce(d.edited_value, '')) > 0)
      OR EXISTS (SELECT FROM parked_records r WHERE position(convert_to(${text}, 'UTF8') IN r.record_value) > 0) AS found`;
  return row.found;
};

describe('settled dead letters', () => {
  async function age(days: number): Promise<void> {
    await sql`UPDATE dead_letters SET last_failed_at = last_failed_at - make_interval(days => ${days}), first_failed_at = first_failed_at - make_interval(days => ${days})`;
  }
  const act = (id: string, days: number) => sql`
    INSERT INTO dead_letter_acts (dead_letter_id, at, actor, act) VALUES (${id}, now() - make_interval(days => ${days}), 'cli:ada', 'discard')`;

  it('are purged 30 days after the last act on them, and what waits for a person never is', async () => {
    const key = randomUUID();
    await giveUp(...Array.from({ length: 5 }, (_, n) => record(key, created(n + 1), 'message.created')));
    await age(40);
    const ids = (await sql<{ id: string }[]>`SELECT d.id FROM dead_letters d ORDER BY d.number`).map(({ id }) => id);
    await sql`UPDATE dead_letters d SET status = (ARRAY['redriven', 'discarded', 'discarded', 'pending', 'redriving'])[d.number]`;
    await act(ids[0] ?? '', 35);
    await act(ids[1] ?? '', 31);
    await act(ids[2] ?? '', 29);
    expect(await purgeSettledLetters(sql, 30, 1)).toBe(1);
    expect(await purgeSettledLetters(sql, 30, 100)).toBe(1);
    expect(await purgeSettledLetters(sql, 30, 100)).toBe(0);
    expect((await letters()).map(({ position: place, status }) => [place, status])).toEqual([[3, 'discarded'], [4, 'pending'], [5, 'redriving']]);
    expect((await sql`SELECT FROM dead_letter_acts`).count).toBe(3);
  });
});

describe('what is kept of a message that is deleted', () => {
  it('is cleared of a user, whole or poison, in letters and in queues, and nothing else is', async () => {
    const [key, other] = [randomUUID(), randomUUID()];
    const theirs = created(1, SECRET);
    const user = theirs.actor_id;
    const ours = { ...created(2, 'somebody else’s'), actor_id: randomUUID() };
    const records = [
      record(key, theirs, 'message.created'),
      record(key, { ...edited(3, theirs.message_id, SECRET) }, 'message.edited'),
      record(key, JSON.stringify(theirs).slice(0, -5), 'message.created'),
      record(key, theirs, 'nobody.knows'),
      record(key, ours, 'message.created'),
      record(key, deleted(4, theirs.message_id), 'message.deleted'),
    ];
    await giveUp(...records);
    await sql`UPDATE dead_letters d SET edited_value = convert_to(${JSON.stringify(theirs)}, 'UTF8'), record_value = '\\xff00' WHERE d.headers ->> 'log_position' = '4'`;
    await sql`UPDATE dead_letters d SET error_message = ${`no ${SECRET}`} WHERE d.headers ->> 'log_position' = '1'`;
    await park(other, record(other, theirs, 'message.created'), record(other, ours, 'message.created'), record(other, deleted(5, theirs.message_id), 'message.deleted'));
    expect(await isAnywhere(SECRET)).toBe(true);

    expect(await sql.begin((tx) => clearLettersOfUser(tx, user, 'group:user-redactor'))).toEqual({ letters: 4, records: 1 });
    expect(await isAnywhere(SECRET)).toBe(false);
    expect((await letters()).map(({ position: place, status, held }) => [place, status, held])).toEqual([
      [1, 'discarded', false], [2, 'discarded', false], [3, 'discarded', false], [4, 'discarded', false], [5, 'pending', true], [6, 'pending', true], [7, 'discarded', false],
    ]);
    expect(await waiting()).toEqual([8, 9]);
    expect(await sql`SELECT DISTINCT a.actor, a.act FROM dead_letter_acts a`).toEqual([{ actor: 'group:user-redactor', act: 'discard' }]);
    expect(await sql.begin((tx) => clearLettersOfUser(tx, user, 'group:user-redactor'))).toEqual({ letters: 0, records: 0 });
  });

  it('is cleared of a letter that is on its way again, with the record in its queue', async () => {
    const key = randomUUID();
    const theirs = created(1, SECRET);
    await giveUp(record(key, theirs, 'message.created'));
    await park(key, record(key, theirs, 'message.created'));
    await sql`UPDATE parked_records SET dead_letter_id = (SELECT d.id FROM dead_letters d)`;
    await sql`UPDATE dead_letters SET status = 'redriving'`;
    expect(await sql.begin((tx) => clearLettersOfUser(tx, theirs.actor_id, 'group:user-redactor'))).toEqual({ letters: 1, records: 0 });
    expect(await letters()).toMatchObject([{ status: 'discarded', held: false }]);
    expect(await waiting()).toEqual([]);
  });

  it('is cleared whenever it failed, once Postgres knows of the deletion; of a message that stands nothing is', async () => {
    const { channelId, userId } = await createConversation(sql);
    const write = new EventWriter(userId);
    const [gone, stays] = [write.send(SECRET), write.send('stays')];
    await drainBatch(sql, { channelId, epoch: 1, fence: 1, eventsJson: JSON.stringify([gone, stays]) });
    await giveUp(record(channelId, gone, 'message.created'), record(channelId, stays, 'message.created'), record(channelId, '{"message_id": "no id"}', 'message.created'));
    await sql`UPDATE dead_letters d SET record_value = record_value || '\\xff00' WHERE d.headers ->> 'log_position' = '1'`;
    expect(await sql.begin((tx) => clearLettersOfDeleted(tx, 'maintenance'))).toEqual({ letters: 0, records: 0 });
    await drainBatch(sql, { channelId, epoch: 1, fence: 1, eventsJson: JSON.stringify([write.delete(gone)]) });
    expect(await sql.begin((tx) => clearLettersOfDeleted(tx, 'maintenance'))).toEqual({ letters: 1, records: 0 });
    expect((await letters()).map(({ position: place, status, held }) => [place, status, held])).toEqual([[1, 'discarded', false], [2, 'pending', true], [3, 'pending', true]]);
  });
});
