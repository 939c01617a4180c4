import { afterAll, beforeAll, expect, it } from 'vitest';
import { drainBatch } from '../../db/queries/drain.ts';
import type { ChannelEvent } from '../../protocol/events.ts';
import { createConversation, EventWriter } from '../../tests/support/conversation.ts';
import { type TestDatabase, testDatabase } from '../../tests/support/postgres.ts';
import { searchIndexer } from './group.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database.drop());

it('a message that comes after its own edits, as a dead letter redriven does, has their text, and none if it is deleted (G5, G7)', async () => {
  const { sql } = database.connection;
  const { channelId, userId } = await createConversation(sql);
  const write = new EventWriter(userId);
  const [kept, gone] = [write.send('first words'), write.send('a secret')];
  const changes = [write.edit(kept, 'last words'), write.delete(gone)];
  await drainBatch(sql, { channelId, epoch: 1, fence: 1, eventsJson: JSON.stringify([kept, gone, ...changes]) });
  const apply = (events: readonly ChannelEvent[]) => sql.begin((tx) => searchIndexer.apply(tx, events.map((event) => ({ key: channelId, position: event.seq, event }))));
  await apply(changes);
  for (let times = 0; times < 2; times += 1) await apply([kept, gone]);
  expect(await sql`SELECT s.id, s.text FROM search_messages s`).toEqual([{ id: kept.message_id, text: 'last words' }]);
});
