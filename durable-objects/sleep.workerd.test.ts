import { runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { uuidv7 } from 'uuidv7';
import { expect, it, vi } from 'vitest';
import { fallsAsleep } from './asleep-fixture.ts';
import { range, roomFixture, type RoomFixture, sendOf, type TestSocket, withPostgres } from './channel-room/room-fixture.ts';
import type { Actor } from './sockets/actor-api.ts';
import { inboxFixture } from './user-inbox/inbox-fixture.ts';

const NOWHERE = { connectionString: 'postgres://nobody:x@127.0.0.1:1/none' };

const pointAt = (object: DurableObjectStub, POSTGRES: { connectionString: string }): Promise<void> =>
  runInDurableObject(object, (instance) => void Object.assign(instance, { env: { ...env, POSTGRES } }));
const fill = ({ room, channelId, alice }: RoomFixture, count: number) => room.executeBatch(channelId, alice, range(1, count).map((n) => sendOf(`x ${n}`)));
const isDrained = ({ drained }: RoomFixture, seq: number): Promise<void> => vi.waitFor(async () => expect((await drained()).drained_seq).toBe(seq), 20_000);

it.concurrent('a room sleeps after it has read older events for its sockets', async () => {
  const fixture = await roomFixture();
  await fill(fixture, 20);
  await isDrained(fixture, 20);
  await runInDurableObject(fixture.room, (_, { storage }) => {
    storage.sql.exec('DELETE FROM events WHERE seq < 15');
    storage.sql.exec('UPDATE log_state SET first_seq = 15, first_offset = (SELECT start_offset FROM events WHERE seq = 15)');
  });
  await fallsAsleep(() => fixture.room);
  const reader = (await fixture.connect(fixture.bob, { epoch: 1, seq: 0 })).ackAll();
  await vi.waitFor(() => expect(reader.seqs).toEqual(range(1, 20)), 10_000);
  await fallsAsleep(() => fixture.room);
  expect(reader.closed).toBeNull();
}, 90_000);

it.concurrent('a room sleeps after Postgres was away and is back', async () => {
  const fixture = await roomFixture();
  const reader = (await fixture.connect(fixture.bob)).ackAll();
  await pointAt(fixture.room, NOWHERE);
  await fill(fixture, 5);
  for (let n = 0; n < 3; n++) await runDurableObjectAlarm(fixture.room);
  await pointAt(fixture.room, env.POSTGRES);
  await runDurableObjectAlarm(fixture.room);
  await isDrained(fixture, 5);
  await fallsAsleep(() => fixture.room);
  expect([reader.seqs, reader.closed]).toEqual([range(1, 5), null]);
}, 60_000);

it.concurrent('a room and an inbox sleep after commands that they have refused, of strangers too', async () => {
  const fixture = await inboxFixture();
  const { channelId, room, inbox, alice } = fixture;
  const [socket, own] = [await fixture.connect(alice), await fixture.open()];
  expect(await room.execute(channelId, await fixture.stranger(), sendOf('x'))).toMatchObject({ problem: { code: 'not_a_member' } });
  socket.send({ type: 'edit', id: 'edit', message_id: uuidv7(), text: 'x' });
  for (const frame of ['{', '{"type":"shout"}']) socket.send(frame);
  own.send({ type: 'read', id: 'read', channel_id: uuidv7(), pos: 1 });
  await vi.waitFor(() => expect([socket.result('edit'), own.result('read')]).toMatchObject([{ problem: { code: 'not_found' } }, { problem: { code: 'not_found' } }]), 10_000);
  await Promise.all([fallsAsleep(() => fixture.room), fallsAsleep(() => fixture.inbox)]);
  expect([socket.closed, own.closed, inbox.id]).toMatchObject([null, null, {}]);
}, 60_000);

/** Members of the channel, so many. */
async function crowd({ channelId }: RoomFixture, count: number): Promise<Actor[]> {
  const ids = Array.from({ length: count }, () => uuidv7());
  const list = JSON.stringify(ids);
  await withPostgres(async (sql) => {
    await sql`INSERT INTO users (id, issuer, subject, handle, display_name) SELECT id::uuid, 'test', id, id, 'Somebody' FROM jsonb_array_elements_text(${list}::text::jsonb) AS id`;
    await sql`
      INSERT INTO members (channel_id, user_id, role, version)
      SELECT ${channelId}, id::uuid, 'member', 2 + n FROM jsonb_array_elements_text(${list}::text::jsonb) WITH ORDINALITY AS named(id, n)`;
    await sql`UPDATE channels SET members_version = ${2 + count} WHERE id = ${channelId}`;
  });
  return ids.map((user_id) => ({ user_id, credential_id: uuidv7(), expires_at: Date.now() + 3_600_000 }));
}

it.concurrent.each([[3, { full: true, present: 0 }], [1_000, { users: null, present: 1_000 }]])('a room with sockets of %i people who look who is present sleeps once it has told them', async (count, said) => {
  const fixture = await roomFixture();
  const people = await crowd(fixture, count);
  const sockets: TestSocket[] = [];
  while (people.length > 0) sockets.push(...(await Promise.all(people.splice(0, 50).map((actor) => fixture.connect(actor)))));
  for (const socket of sockets) socket.ackAll().send({ type: 'ack', seq: 0 });
  for (const socket of sockets) socket.send({ type: 'watch', presence: true });
  const told = () => sockets.at(-1)?.frames.findLast((frame) => frame.type === 'presence');
  await vi.waitFor(() => expect(told()).toMatchObject(said), { timeout: 20_000, interval: 500 });
  await fallsAsleep(() => fixture.room);
  expect(sockets.every(({ closed }) => closed === null)).toBe(true);
}, 120_000);
