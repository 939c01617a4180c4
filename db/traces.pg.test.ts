import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ChannelEvent } from '../protocol/events.ts';
import { createConversation, EventWriter } from '../tests/support/conversation.ts';
import { type TestDatabase, testDatabase } from '../tests/support/postgres.ts';
import type { Sql } from './client.ts';
import { drainBatch } from './queries/drain.ts';
import { claimInbox, drainInbox } from './queries/inbox-log.ts';

let database: TestDatabase;
let sql: Sql;
let key: string;
let write: EventWriter;
beforeAll(async () => {
  database = await testDatabase();
  sql = database.connection.sql;
});
afterAll(() => database.drop());

const trace = (n: number): string => `00-${String(n).padStart(32, '0')}-00f067aa0ba902b7-01`;
const tracesJson = (traces: Readonly<Record<number, string>>): string => JSON.stringify(traces);
const logged = async () => (await sql<{ traceparent: string | null }[]>`SELECT traceparent FROM event_log WHERE key = ${key} ORDER BY channel_seq`).map(({ traceparent }) => traceparent);

describe('the trace contexts of a batch', () => {
  beforeEach(async () => {
    const conversation = await createConversation(sql);
    key = conversation.channelId;
    write = new EventWriter(conversation.userId);
  });
  const drain = (events: readonly ChannelEvent[], traces: Readonly<Record<number, string>> | null, fence = 1) =>
    drainBatch(sql, { channelId: key, epoch: 1, fence, eventsJson: JSON.stringify(events), tracesJson: traces && tracesJson(traces) });

  it('are logged beside the events that have one', async () => {
    const events = [write.send('one'), write.send('two'), write.send('three')];
    expect(await drain(events, { 1: trace(1), 3: trace(3) })).toEqual({ status: 'ok', drained_seq: 3 });
    expect(await drain([write.send('four')], null)).toEqual({ status: 'ok', drained_seq: 4 });
    expect(await logged()).toEqual([trace(1), null, trace(3), null]);
  });

  it('do not change what was logged before, and nothing where the batch is refused', async () => {
    const [one, two] = [write.send('one'), write.send('two')];
    await drain([one], { 1: trace(1) }, 2);
    expect(await drain([one, two], { 1: trace(9), 2: trace(2) }, 2)).toEqual({ status: 'ok', drained_seq: 2 });
    expect(await drain([write.send('three')], { 1: trace(9), 3: trace(3) }, 1)).toMatchObject({ status: 'fenced' });
    expect(await logged()).toEqual([trace(1), trace(2)]);
  });
});

it('those of an inbox are logged as well', async () => {
  key = uuidv7();
  await sql`INSERT INTO users (id, issuer, subject, handle, display_name) VALUES (${key}, 'test', ${key}, ${key}, 'Somebody')`;
  await sql.begin((tx) => claimInbox(tx, key));
  const read = (seq: number) => ({ type: 'notices.read', seq, id: uuidv7(), at: '2026-11-26T10:00:00.000Z', read_seq: seq });
  expect(await drainInbox(sql, { userId: key, epoch: 1, fence: 1 }, JSON.stringify([read(1), read(2)]), tracesJson({ 2: trace(2) }))).toEqual({ status: 'ok', drained_seq: 2 });
  expect(await logged()).toEqual([null, trace(2)]);
});
