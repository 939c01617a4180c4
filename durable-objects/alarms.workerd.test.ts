import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { soon } from '../tests/support/soon.ts';
import { range, roomFixture, sendOf, type RoomFixture } from './channel-room/room-fixture.ts';
import { SOCKET_LIMITS } from './sockets/socket-limits.ts';
import { inboxFixture, noticeOf, telling } from './user-inbox/inbox-fixture.ts';

/** Failures in a row: the platform itself repeats an alarm that throws six times, and then never again. */
const MANY = 10;
const NOWHERE = { connectionString: 'postgres://nobody:x@127.0.0.1:1/none' };

const { room: roomLimit } = SOCKET_LIMITS;
beforeAll(() => void Object.assign(SOCKET_LIMITS, { room: 1 }));
afterAll(() => void Object.assign(SOCKET_LIMITS, { room: roomLimit }));

const withEnv = (object: DurableObjectStub, changed: object): Promise<void> => runInDurableObject(object, (instance) => void Object.assign(instance, { env: { ...env, ...changed } }));
const alarmAt = (object: DurableObjectStub): Promise<number | null> => runInDurableObject(object, (_, { storage }) => storage.getAlarm());
const isResting = (object: DurableObjectStub): Promise<void> => vi.waitFor(async () => expect(await alarmAt(object)).toBeNull(), { timeout: 10_000, interval: 200 });
async function ringInVain(object: () => DurableObjectStub): Promise<void> {
  for (let n = 0; n < MANY; n++) {
    // There is none while one rings that the platform itself has found due.
    await soon(async () => expect([n, await runDurableObjectAlarm(object())]).toEqual([n, true]));
    await soon(async () => expect(await alarmAt(object())).not.toBeNull());
  }
}
const fill = ({ room, channelId, alice }: RoomFixture, count: number) => room.executeBatch(channelId, alice, range(1, count).map((n) => sendOf(`x ${n}`)));

it.concurrent('a room that cannot reach Postgres rings until it can, and then drains (G1, G6)', async () => {
  const fixture = await roomFixture();
  await fill(fixture, 1);
  await isResting(fixture.room);
  await withEnv(fixture.room, { POSTGRES: NOWHERE });
  await fill(fixture, 5);
  await ringInVain(() => fixture.room);
  await withEnv(fixture.room, { POSTGRES: env.POSTGRES });
  await runDurableObjectAlarm(fixture.room);
  await vi.waitFor(async () => expect((await fixture.drained()).drained_seq).toBe(6), 10_000);
  await isResting(fixture.room);
}, 60_000);

it.concurrent('and so does an inbox', async () => {
  const { channelId, inbox, alice, stored } = await inboxFixture();
  await inbox.tell(alice.user_id, telling({ notices: [noticeOf(channelId, 1)] }));
  await isResting(inbox);
  await withEnv(inbox, { POSTGRES: NOWHERE });
  await inbox.tell(alice.user_id, telling({ notices: [noticeOf(channelId, 2)] }));
  await ringInVain(() => inbox);
  await withEnv(inbox, { POSTGRES: env.POSTGRES });
  await runDurableObjectAlarm(inbox);
  await vi.waitFor(async () => expect((await stored()).drained_seq).toBe(2), 10_000);
  await isResting(inbox);
}, 60_000);

it.concurrent('a room that cannot reach a node rings until it can, and then tells it (G4)', async () => {
  const fixture = await roomFixture();
  const { room, alice, bob, connect } = fixture;
  const [here, there] = [(await connect(alice)).ackAll(), (await connect(bob)).ackAll()];
  const away = () => Promise.reject(new Error('away'));
  await withEnv(room, { NODES: { getByName: () => ({ publish: away, tell: away, closeWhere: away }) } });
  await fill(fixture, 3);
  await soon(() => expect(here.seqs).toEqual([1, 2, 3]));
  await ringInVain(() => fixture.room);
  expect(there.seqs).toEqual([]);
  await withEnv(room, { NODES: env.NODES });
  await runDurableObjectAlarm(room);
  await vi.waitFor(() => expect(there.seqs).toEqual([1, 2, 3]), 10_000);
}, 60_000);

it.concurrent('what the platform has given up is set again by the next instance, whoever wakes it', async () => {
  const fixture = await roomFixture();
  const { room, alice, connect } = fixture;
  await connect({ ...alice, expires_at: Date.now() + 3_600_000 });
  // As after a release in which no instance could begin, for longer than the platform repeats an alarm.
  await runInDurableObject(room, async (_, { storage }) => {
    storage.sql.exec(`INSERT OR REPLACE INTO alarms (purpose, at) VALUES ('nodes', ?)`, Date.now() - 3_600_000);
    await storage.deleteAlarm();
  });
  await evictDurableObject(room);
  await vi.waitFor(async () => expect(await alarmAt(room)).toBeGreaterThan(Date.now()), 10_000);
  const purposes = await runInDurableObject(room, (_, { storage }) => storage.sql.exec('SELECT purpose FROM alarms').toArray().map(({ purpose }) => purpose));
  expect(purposes).toContain('auth');
}, 60_000);

it.concurrent('an alarm that rings while a room starts over does not stand in the way of those that it sets after (G5)', async () => {
  const { channelId, room, alice, connect } = await roomFixture();
  await room.execute(channelId, alice, sendOf('x'));
  await isResting(room);
  // It has forgotten its log, and what its predecessor set is still there.
  await runInDurableObject(room, async (_, { storage }) => {
    storage.sql.exec('DROP TABLE room_state');
    storage.sql.exec(`INSERT OR REPLACE INTO alarms (purpose, at) VALUES ('nodes', ?)`, Date.now() - 1_000);
    await storage.setAlarm(Date.now() + 60_000);
  });
  await evictDurableObject(room);
  expect(await runDurableObjectAlarm(room)).toBe(true);
  const brief = await connect({ ...alice, expires_at: Date.now() + 5_000 });
  await vi.waitFor(() => expect(brief.closed?.code).toBe(4001), 20_000);
}, 60_000);
