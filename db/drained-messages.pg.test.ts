import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ChannelEvent } from '../protocol/events.ts';
import { createConversation, EventWriter } from '../tests/support/conversation.ts';
import { testDatabase, type TestDatabase } from '../tests/support/postgres.ts';
import type { Sql } from './client.ts';
import { drainBatch } from './queries/drain.ts';

let database: TestDatabase;
let sql: Sql;
let channelId: string;
let write: EventWriter;
beforeAll(async () => {
  database = await testDatabase();
  sql = database.connection.sql;
});
afterAll(() => database.drop());
beforeEach(async () => {
  const conversation = await createConversation(sql);
  channelId = conversation.channelId;
  write = new EventWriter(conversation.userId);
});

async function drain(events: readonly ChannelEvent[]): Promise<void> {
  const answer = await drainBatch(sql, { channelId, epoch: 1, fence: 1, eventsJson: JSON.stringify(events) });
  expect(answer.status).toBe('ok');
}

const pins = () => sql`SELECT message_id, pinned_by, pinned_at, seq::int FROM pins WHERE channel_id = ${channelId} ORDER BY seq`;
const revisions = () => sql`
  SELECT r.message_id, r.revision, r.text, r.written_at FROM message_revisions r JOIN messages m ON m.id = r.message_id
  WHERE m.channel_id = ${channelId} ORDER BY m.seq, r.revision`;

describe('revisions', () => {
  const texts = async () => (await revisions()).map(({ revision, text }) => [revision, text]);

  test('G6 are what messages said before, whichever edits a batch brings together', async () => {
    const message = write.send('first');
    const second = write.edit(message, 'second', 2);
    await drain([message, second, write.edit(message, 'third', 3)]);
    expect(await texts()).toEqual([[1, 'first'], [2, 'second']]);
    await drain([write.edit(message, 'fourth', 4)]);
    expect(await texts()).toEqual([[1, 'first'], [2, 'second'], [3, 'third']]);
    expect((await revisions()).slice(0, 2).map((row) => new Date(row['written_at']).toISOString())).toEqual([message.at, second.at]);
  });

  test('of a message that was deleted are gone with it, also where all came in one batch', async () => {
    const [one, other] = [write.send('secret'), write.send('secret, too')];
    await drain([one, other, write.edit(one, 'more secret'), write.edit(one, 'most secret', 3), write.edit(other, 'kept'), write.delete(one)]);
    expect(await texts()).toEqual([[1, 'secret, too']]);
    await drain([write.delete(other)]);
    const [left] = await sql<{ texts: number }[]>`SELECT count(*)::int AS texts FROM message_revisions WHERE message_id IN (${one.message_id}, ${other.message_id})`;
    expect(left).toEqual({ texts: 0 });
  });
});

describe('pins', () => {
  test('are as the last event of a message left them', async () => {
    const [one, two] = [write.send(), write.send()];
    const pinned = write.pin(one);
    await drain([one, two, pinned, write.pin(two), write.unpin(two)]);
    expect(await pins()).toMatchObject([{ message_id: one.message_id, pinned_by: write.actorId, seq: 3 }]);
    expect(new Date((await pins())[0]?.['pinned_at']).toISOString()).toBe(pinned.at);
    await drain([write.unpin(one), write.pin(two), write.pin(one)]);
    expect(await pins()).toMatchObject([{ message_id: two.message_id, seq: 7 }, { message_id: one.message_id, seq: 8 }]);
  });

  test('go with their message, be it pinned in the same batch', async () => {
    const [one, two] = [write.send(), write.send()];
    await drain([one, two, write.pin(one)]);
    await drain([write.pin(two), write.delete(two), write.delete(one)]);
    expect(await pins()).toEqual([]);
  });
});

describe('previews', () => {
  const previews = async () => (await sql`SELECT message_id, revision, previews, removed_seq::int FROM message_previews WHERE channel_id = ${channelId} ORDER BY message_id`).map((row) => ({ ...row }));
  const row = ({ message_id, revision, previews: found }: ReturnType<EventWriter['preview']>) => ({ message_id, revision, previews: found, removed_seq: null });

  test('are those that were found last; an edit takes them away, and what is found after it counts, however that is cut into batches', async () => {
    for (const cut of [1, 2, 3, 5, 9]) {
      const [one, two, three] = [write.send(), write.send(), write.send()];
      const before = [one, two, three, write.preview(one), write.preview(two), write.edit(two, 'other'), write.preview(three)];
      const [later, edited, last] = [write.preview(one, 'Later'), write.preview(two, 'As edited', 2), write.edit(three, 'none')];
      const events = [...before, later, edited, last];
      for (let at = 0; at < events.length; at += cut) await drain(events.slice(at, at + cut));
      expect(await previews()).toEqual([row(later), row(edited)]);
      await sql`DELETE FROM message_previews`;
    }
  });

  test('that were removed are none for good, and go with their message', async () => {
    const [one, two, three] = [write.send(), write.send(), write.send()];
    await drain([one, two, three, write.preview(one), write.preview(three)]);
    const removed = [write.removePreviews(one), write.removePreviews(two)];
    await drain([...removed, write.edit(one, 'other'), write.delete(three)]);
    expect(await previews()).toEqual([one, two].map(({ message_id }, n) => ({ message_id, revision: 1, previews: [], removed_seq: removed[n]?.seq })));
    await drain([write.edit(one, 'another', 3)]);
    expect((await previews()).map(({ removed_seq }) => removed_seq)).toEqual(removed.map(({ seq }) => seq));
    await drain([write.delete(one), write.preview(two), write.delete(two)]);
    expect(await previews()).toEqual([]);
  });
});
