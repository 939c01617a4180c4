import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { drainBatch } from '../../db/queries/drain.ts';
import { IRC_SAMPLE, readIrcSample } from '../../tests/support/irc.ts';
import { testDatabase, type TestDatabase } from '../../tests/support/postgres.ts';
import { importedMessage } from './batches.ts';
import { surveyIrcFile, type IrcMessage, type IrcSurvey } from './irc-file.ts';
import { createProgress } from './progress.ts';
import { verifyImport, type Verification } from './verify.ts';

const LINES = 500;
let database: TestDatabase;
let survey: IrcSurvey;
let channelId: string;
beforeAll(async () => {
  database = await testDatabase();
  survey = await surveyIrcFile(IRC_SAMPLE, LINES);
});
afterAll(() => database.drop());

const userId = crypto.randomUUID();
/** UUIDv7 of now, as partitions ask for. */
const messageId = (): string => {
  const time = Date.now().toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${crypto.randomUUID().slice(15)}`;
};

const event = (seq: number, rest: object): object => ({ seq, id: crypto.randomUUID(), at: new Date().toISOString(), actor_id: userId, ...rest });
const created = (message: IrcMessage): object =>
  event(message.line + 1, {
    type: 'message.created',
    message_id: messageId(),
    pos: message.line,
    thread_id: null,
    tpos: null,
    ...importedMessage(survey.identity, message),
  });

/** A channel with the first lines of the sample, drained as a room drains them and indexed as the consumer does. */
async function importedChannel(): Promise<string> {
  const { sql } = database.connection;
  const id = crypto.randomUUID();
  await sql`INSERT INTO users (id, issuer, subject, handle, display_name) VALUES (${userId}, 'test', 'alice', 'alice', 'Alice') ON CONFLICT DO NOTHING`;
  await sql`INSERT INTO channels (id, kind, name, created_by) VALUES (${id}, 'public', ${id}, ${userId})`;
  await sql`INSERT INTO conversation_logs (channel_id) VALUES (${id})`;
  const events = [event(1, { type: 'member.added', user_id: userId, role: 'owner' }), ...(await readIrcSample(LINES)).map(created)];
  const { status } = await drainBatch(sql, { channelId: id, epoch: 1, fence: 1, eventsJson: JSON.stringify(events) });
  if (status !== 'ok') throw new Error(`the drain says ${status}`);
  await sql`INSERT INTO search_messages (id, channel_id, author_id, seq, text)
    SELECT m.id, m.channel_id, m.author_id, m.seq, m.text FROM messages m WHERE m.channel_id = ${id}`;
  return id;
}
beforeEach(async () => {
  channelId = await importedChannel();
});

const verify = (): Promise<Verification> =>
  verifyImport({
    sql: database.connection.sql,
    channelId,
    path: IRC_SAMPLE,
    survey,
    brokers: null,
    progress: createProgress({ write: () => {} }),
    patienceMs: 0,
  });
const stores = ({ results }: Verification) => results.map(({ held, equal, exact }) => ({ held, equal, exact }));
const whole = { held: LINES, equal: LINES, exact: true };

describe('the check of an import', () => {
  test('finds every store exact', async () => {
    const verification = await verify();
    expect(stores(verification)).toEqual([whole, whole, whole]);
    expect(verification).toMatchObject({ exact: true, repeated: 0 });
  });

  test('finds a message that Postgres lost, and goes on behind it', async () => {
    await database.connection.sql`DELETE FROM messages WHERE channel_id = ${channelId} AND pos = 77`;
    const { exact, results } = await verify();
    expect(exact).toBe(false);
    expect(results[0]).toMatchObject({ held: LINES - 1, equal: LINES - 1, differences: ['line 77 is missing'] });
    expect(results[1]?.exact).toBe(true);
  });

  test('finds two messages that changed places (G3)', async () => {
    await database.connection.sql`UPDATE messages SET pos = 21 - pos WHERE channel_id = ${channelId} AND pos IN (10, 11)`;
    const { results } = await verify();
    expect(results.map(({ exact }) => exact)).toEqual([false, true, false]);
    expect(results[0]?.differences).toEqual(['line 10 is missing', 'line 10 is there again or out of order']);
  });

  test('finds another text in the index (G7)', async () => {
    await database.connection.sql`UPDATE search_messages s SET text = 'other' FROM messages m WHERE m.id = s.id AND m.channel_id = ${channelId} AND m.pos = 5`;
    const { results } = await verify();
    expect(results.map(({ exact }) => exact)).toEqual([true, true, false]);
    expect(results[2]?.differences).toEqual(['line 5 has another text: "other"']);
  });

  test('finds what the index holds of no message', async () => {
    await database.connection.sql`INSERT INTO search_messages (id, channel_id, author_id, seq, text) VALUES (${messageId()}, ${channelId}, ${userId}, 9, 'stray')`;
    const { results } = await verify();
    expect(results[2]).toMatchObject({ exact: false, held: LINES + 1, equal: LINES });
  });

  test('finds an event the log lost, by the text and by the numbering', async () => {
    await database.connection.sql`DELETE FROM event_log WHERE key = ${channelId} AND channel_seq = 41`;
    const { results } = await verify();
    expect(results[1]).toMatchObject({ exact: false, differences: ['channel_seq 42 follows 40', 'line 40 is missing'] });
  });

  test('passes over what the log says again (G2)', async () => {
    await database.connection.sql`INSERT INTO event_log (position, topic, key, event_id, type, channel_seq, data)
      SELECT e.position, e.topic, e.key, e.event_id, e.type, e.channel_seq, e.data FROM event_log e WHERE e.key = ${channelId} AND e.channel_seq = 41
      ON CONFLICT DO NOTHING`;
    const { results, repeated } = await verify();
    expect(results[1]?.exact).toBe(true);
    expect(repeated).toBe(1);
  });
});
