import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { expect, it, vi } from 'vitest';
import { range, roomFixture, sendOf, withPostgres } from '../channel-room/room-fixture.ts';
import { inboxFixture, noticeOf, telling } from '../user-inbox/inbox-fixture.ts';

/** Postgres, whose `event_log` takes longer to answer than a busy machine to look whether it was asked, and keeps nothing. */
async function slowPostgres(): Promise<string> {
  await withPostgres((sql) => sql`CREATE SCHEMA IF NOT EXISTS slow`);
  await withPostgres((sql) => sql`
    CREATE OR REPLACE VIEW slow.event_log AS WITH held AS MATERIALIZED (SELECT pg_sleep(2)) SELECT e.* FROM held, public.event_log e`);
  await withPostgres((sql) => sql`CREATE OR REPLACE RULE presence AS ON INSERT TO slow.event_log DO INSTEAD NOTHING`);
  const url = new URL(env.POSTGRES.connectionString);
  url.searchParams.set('search_path', 'slow,public');
  return url.href;
}

/** From the next instance on the log begins at 1,200: what is before is in Postgres only. */
async function forgetOldest(object: DurableObjectStub): Promise<void> {
  await runInDurableObject(object, (_, { storage }) => {
    storage.sql.exec('DELETE FROM events WHERE seq < 1200');
    storage.sql.exec('UPDATE log_state SET first_seq = 1200, first_offset = (SELECT start_offset FROM events WHERE seq = 1200)');
  });
  await evictDurableObject(object);
}

const alarmsOf = (object: DurableObjectStub): Promise<unknown[]> =>
  runInDurableObject(object, (_, { storage }) => storage.sql.exec('SELECT purpose FROM alarms').toArray().map(({ purpose }) => purpose));
/** All is drained, and nothing else is left to do. */
const isResting = (object: DurableObjectStub): Promise<void> =>
  vi.waitFor(async () => expect([await undrainedOf(object), (await alarmsOf(object)).includes('net')]).toEqual([0, false]), { timeout: 20_000, interval: 250 });
const undrainedOf = (object: DurableObjectStub): Promise<unknown> =>
  runInDurableObject(object, (_, { storage }) => storage.sql.exec('SELECT (SELECT max(seq) FROM events) - drained_seq AS n FROM log_state').one()['n']);

/** A socket asks for what its object has to read, which is evicted meanwhile. */
async function evictWhileReading<T>(object: DurableObjectStub, ask: () => T): Promise<Awaited<T>> {
  await isResting(object);
  await forgetOldest(object);
  const connectionString = await slowPostgres();
  await runInDurableObject(object, (instance) => void Object.assign(instance, { env: { ...env, POSTGRES: { connectionString } } }));
  const asked = ask();
  await vi.waitFor(async () => expect(await alarmsOf(object)).toContain('net'), { timeout: 5_000, interval: 50 });
  await evictDurableObject(object);
  expect(await runDurableObjectAlarm(object)).toBe(true);
  return await asked;
}

it.concurrent('a room that is evicted while it reads older events has an alarm to go on by, loses none, and is quiet after (G4)', async () => {
  const { channelId, room, alice, bob, connect } = await roomFixture();
  const slow = await connect(bob);
  for (let page = 0; page < 7; page++) await room.executeBatch(channelId, alice, range(1, 200).map((n) => sendOf(`${page} ${n}`)));
  await vi.waitFor(() => expect(slow.seqs).toEqual(range(1, 1_000)), 10_000);
  await evictWhileReading(room, () => slow.ackAll().send({ type: 'ack', seq: 1_000 }));
  await vi.waitFor(() => expect(slow.seqs).toEqual(range(1, 1_400)), 10_000);
  await isResting(room);
  expect(slow.closed).toBeNull();
}, 90_000);

it.concurrent('and so has an inbox (G4)', async () => {
  const { channelId, inbox, alice, open } = await inboxFixture();
  await inbox.tell(alice.user_id, telling({ notices: range(1, 1_400).map((n) => noticeOf(channelId, n)) }));
  const socket = await evictWhileReading(inbox, () => open({ epoch: 1, seq: 0 }));
  await vi.waitFor(() => expect(socket.events.map(({ seq }) => seq)).toEqual(range(1, 1_400)), 10_000);
  await isResting(inbox);
  expect(socket.closed).toBeNull();
}, 90_000);
