import type postgres from 'postgres';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Sql } from '../../db/client.ts';
import { drainBatch } from '../../db/queries/drain.ts';
import { type ClaimedLog, claimLog, findLogPlace, moveLog } from '../../db/queries/room-bootstrap.ts';
import { integer, pick, seededRandom } from '../../client/testing/random.ts';
import type { ChannelEvent } from '../../protocol/events.ts';
import { createConversation, EventWriter } from '../support/conversation.ts';
import { testDatabase, type TestDatabase } from '../support/postgres.ts';
import { seedsOfRun } from '../support/seed.ts';
import { StoredChannel } from './stored-channel.ts';

let database: TestDatabase;
let sql: Sql;
beforeAll(async () => {
  database = await testDatabase();
  sql = database.connection.sql;
});
afterAll(() => database.drop());

/** The model by Postgres' own clock. */
async function claimAt(tx: postgres.TransactionSql, model: StoredChannel): Promise<ClaimedLog> {
  const [now] = await tx<[{ minute: number }]>`SELECT floor(extract(epoch FROM now()) / 60)::int AS minute`;
  model.minute = now.minute;
  return model.claim();
}

/** Both sides of a random step, asked the same. */
async function step(random: () => number, channelId: string, model: StoredChannel, events: readonly ChannelEvent[]): Promise<[unknown, unknown]> {
  const { epoch, fence, drained_seq } = model.place;
  const what = pick(random, ['drain', 'drain', 'drain', 'claim', 'move'] as const);
  if (what === 'claim') return await sql.begin(async (tx) => [await claimLog(tx, channelId), await claimAt(tx, model)]);
  if (what === 'move') {
    const found = { ...model.findPlace(), ...(random() < 0.3 && { fence: fence + 1 }) };
    const to = { epoch, fence: fence + 1, drainedSeq: drained_seq };
    return [await moveLog(sql, { channelId, found, ...to }), model.move({ channelId, found, ...to })];
  }
  const start = Math.max(0, drained_seq + integer(random, 5) - 3);
  const batch = events.slice(start, start + 1 + integer(random, 6));
  const claim = { channelId, epoch: epoch + (random() < 0.1 ? 1 : 0), fence: Math.max(0, fence + integer(random, 3) - 1) };
  return [await drainBatch(sql, { ...claim, eventsJson: JSON.stringify(batch) }), model.drain(claim, batch)];
}

it.each(seedsOfRun(5))('answers as Postgres does, whatever is drained, claimed and moved (seed %i)', async (seed) => {
  const random = seededRandom(seed);
  const { channelId, userId } = await createConversation(sql);
  const write = new EventWriter(userId);
  const model = new StoredChannel(channelId);
  const events = Array.from({ length: 40 }, (_, index) => write.send(`message ${index}`));
  for (let count = 0; count < 60; count += 1) {
    const [stored, modelled] = await step(random, channelId, model, events);
    expect(modelled).toEqual(stored);
    expect(model.findPlace()).toEqual(await findLogPlace(sql, channelId));
  }
});
