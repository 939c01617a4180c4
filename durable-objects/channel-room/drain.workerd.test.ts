import { abortAllDurableObjects, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { expect, it, vi } from 'vitest';
import { soon } from '../../tests/support/soon.ts';
import type { ChannelRoom } from './channel-room.ts';
import { range, roomFixture, type RoomFixture, sendOf, withPostgres } from './room-fixture.ts';

/** Where nobody listens. */
const NOWHERE = 'postgres://nobody:x@127.0.0.1:1/none';

/** What the room's own next connections to Postgres meet. */
const pointAt = (room: DurableObjectStub<ChannelRoom>, connectionString: string): Promise<void> =>
  runInDurableObject(room, (instance) => {
    Object.assign(instance, { env: { ...env, POSTGRES: { connectionString } } });
  });
const logState = (room: DurableObjectStub<ChannelRoom>) =>
  runInDurableObject(room, (_, state) => state.storage.sql.exec<Record<string, number>>('SELECT epoch, fence, max(seq, coalesce((SELECT max(seq) FROM events), 0)) AS seq, drained_seq FROM log_state').one());
const storedSeqs = (channelId: string): Promise<number[]> =>
  withPostgres(async (sql) => {
    const rows = await sql<{ seq: number }[]>`SELECT channel_seq::float8 AS seq FROM event_log WHERE key = ${channelId} ORDER BY channel_seq`;
    return rows.map(({ seq }) => seq);
  });
const fill = ({ room, channelId, alice }: RoomFixture, count: number, name: string) =>
  room.executeBatch(channelId, alice, range(1, count).map((n) => sendOf(`${name} ${n}`)));
const isDrained = async ({ channelId, drained }: RoomFixture, seq: number): Promise<void> => {
  await vi.waitFor(async () => expect((await drained()).drained_seq).toBe(seq), 20_000);
  expect(await storedSeqs(channelId)).toEqual(range(1, seq));
};

/** The room has closed its connection and cleared its alarm. */
const isResting = (room: DurableObjectStub<ChannelRoom>): Promise<void> =>
  vi.waitFor(async () => expect(await runInDurableObject(room, (_, state) => state.storage.getAlarm())).toBeNull(), 10_000);

it('stores every event in order, and messages as they are (G6)', async () => {
  const fixture = await roomFixture();
  const { channelId, room, alice } = fixture;
  const sent = await room.execute(channelId, alice, sendOf('first'));
  const message_id = 'ok' in sent ? sent.ok.message_id : '';
  await room.execute(channelId, alice, { type: 'edit', message_id, text: 'second' });
  await room.execute(channelId, alice, { type: 'react', message_id, emoji: '+1' });
  await room.execute(channelId, alice, { ...sendOf('reply'), thread_id: message_id });
  await isDrained(fixture, 4);
  const [message] = await withPostgres((sql) => sql`SELECT seq::int, pos::int, text, revision FROM messages WHERE id = ${message_id}`);
  expect(message).toEqual({ seq: 1, pos: 1, text: 'second', revision: 2 });
});

it('leaves no alarm and no undrained event once it is quiet', async () => {
  const fixture = await roomFixture();
  await fill(fixture, 5, 'a');
  expect(await runInDurableObject(fixture.room, (_, state) => state.storage.getAlarm())).not.toBeNull();
  await isDrained(fixture, 5);
  await isResting(fixture.room);
});

it('goes on without Postgres, and catches up when it is back (G6)', async () => {
  const fixture = await roomFixture();
  const { channelId, room, alice, bob, connect } = fixture;
  await fill(fixture, 3, 'before');
  await isDrained(fixture, 3);
  await pointAt(room, NOWHERE);
  await isResting(room);
  const reader = await connect(bob, { epoch: 1, seq: 3 });
  for (let n = 0; n < 20; n++) expect(await room.execute(channelId, alice, sendOf(`during ${n}`))).toHaveProperty('ok');
  await soon(() => expect(reader.seqs).toEqual(range(4, 23)));
  expect((await fixture.drained()).drained_seq).toBe(3);
  await pointAt(room, env.POSTGRES.connectionString);
  await runDurableObjectAlarm(room);
  await isDrained(fixture, 23);
});

it('takes nothing more once 10,000 events are not stored, and again when they are (G8)', async () => {
  const fixture = await roomFixture();
  const { channelId, room, alice } = fixture;
  await room.execute(channelId, alice, sendOf('wake'));
  await isDrained(fixture, 1);
  await isResting(room);
  await pointAt(room, NOWHERE);
  for (let page = 0; page < 50; page++) expect(await fill(fixture, 200, `p${page}`)).toHaveProperty('ok');
  expect(await room.execute(channelId, alice, sendOf('too much'))).toEqual({ problem: { code: 'room_backlogged', retry_after: 5 } });
  await pointAt(room, env.POSTGRES.connectionString);
  await runDurableObjectAlarm(room);
  await isDrained(fixture, 10_001);
  expect(await room.execute(channelId, alice, sendOf('again'))).toHaveProperty('ok');
}, 60_000);

it('continues after a crash with what was not stored (G1, G6)', async () => {
  const fixture = await roomFixture();
  await fill(fixture, 1, 'wake');
  await isDrained(fixture, 1);
  await isResting(fixture.room);
  await pointAt(fixture.room, NOWHERE);
  await fill(fixture, 50, 'lost?');
  await abortAllDurableObjects();
  expect(await fill(fixture, 1, 'after')).toMatchObject({ ok: [{ seq: 52 }] });
  await isDrained(fixture, 52);
});

it('steps over an event that Postgres cannot take, and stores all others (G6)', async () => {
  const fixture = await roomFixture();
  const { channelId, room, alice } = fixture;
  const texts = range(1, 60).map((n) => sendOf(n === 37 ? 'nul \u0000' : `x ${n}`));
  await room.executeBatch(channelId, alice, texts);
  await vi.waitFor(async () => expect((await fixture.drained()).drained_seq).toBe(60), 10_000);
  expect(await storedSeqs(channelId)).toEqual(range(1, 60).filter((seq) => seq !== 37));
  const letters = await withPostgres((sql) => sql`
    SELECT headers, convert_from(record_value, 'UTF8') AS value FROM dead_letters WHERE record_key = convert_to(${channelId}::text, 'UTF8')`);
  expect(letters).toHaveLength(1);
  expect(JSON.parse(String(letters[0]?.['value']))).toMatchObject({ seq: 37, text: 'nul \u0000' });
});

it('takes its log back where Postgres has forgotten its last events', async () => {
  const fixture = await roomFixture();
  const { channelId } = fixture;
  await fill(fixture, 10, 'a');
  await isDrained(fixture, 10);
  await withPostgres(async (sql) => {
    await sql`DELETE FROM messages WHERE channel_id = ${channelId} AND seq > 6`;
    await sql`DELETE FROM event_log WHERE key = ${channelId} AND channel_seq > 6`;
    await sql`UPDATE conversation_logs SET drained_seq = 6, drained_pos = 6 WHERE channel_id = ${channelId}`;
  });
  await fill(fixture, 1, 'b');
  await isDrained(fixture, 11);
  expect((await fixture.drained()).epoch).toBe(1);
});

it('takes its log back where its fence has fallen behind', async () => {
  const fixture = await roomFixture();
  await fill(fixture, 3, 'a');
  await isDrained(fixture, 3);
  await abortAllDurableObjects();
  await withPostgres((sql) => sql`UPDATE conversation_logs SET fence = 1000 WHERE channel_id = ${fixture.channelId}`);
  await fill(fixture, 1, 'b');
  await isDrained(fixture, 4);
  expect((await fixture.drained()).fence).toBe(1_001);
});

it('ends an instance that a newer one has fenced, and loses nothing (G1)', async () => {
  const fixture = await roomFixture();
  const { channelId, alice, bob, connect } = fixture;
  await fill(fixture, 3, 'a');
  await isDrained(fixture, 3);
  const socket = await connect(bob, { epoch: 1, seq: 3 });
  await withPostgres((sql) => sql`UPDATE conversation_logs SET fence = 1000 WHERE channel_id = ${channelId}`);
  await fixture.room.execute(channelId, alice, sendOf('b'));
  await vi.waitFor(() => expect(socket.closed).not.toBeNull(), 10_000);
  await fill(fixture, 1, 'c');
  await isDrained(fixture, 5);
});

it('starts over from Postgres in a new epoch where that has another log, and keeps what it had to give up', async () => {
  const fixture = await roomFixture();
  const { channelId, alice, connect } = fixture;
  await fill(fixture, 3, 'a');
  await isDrained(fixture, 3);
  await abortAllDurableObjects();
  await withPostgres((sql) => sql`UPDATE conversation_logs SET epoch = 7, fence = 50 WHERE channel_id = ${channelId}`);
  await fixture.room.execute(channelId, alice, sendOf('given up'));
  await vi.waitFor(async () => expect((await fixture.drained()).epoch).toBe(7), 10_000);
  await vi.waitFor(async () => expect(await fixture.room.execute(channelId, alice, sendOf('anew', 'anew'))).toMatchObject({ ok: { seq: 4, pos: 4 } }), 10_000);
  await isDrained(fixture, 4);
  const { epoch } = await logState(fixture.room);
  expect(epoch).toBeGreaterThan(7);
  expect((await connect(alice, { epoch: 1, seq: 2 })).welcome).toMatchObject({ epoch, recovered: false });
  const [letter] = await withPostgres((sql) => sql`SELECT convert_from(record_value, 'UTF8') AS value FROM dead_letters WHERE error_class = 'forked_log' AND record_key = convert_to(${channelId}::text, 'UTF8')`);
  expect(String(letter?.['value'])).toContain('given up');
});

it('knows its messages, replies and reactions again after its own storage was lost (G2)', async () => {
  const fixture = await roomFixture();
  const { channelId, alice, bob } = fixture;
  const sent = await fixture.room.execute(channelId, alice, sendOf('root', 'root'));
  const root = 'ok' in sent ? sent.ok.message_id : '';
  await fixture.room.execute(channelId, bob, { ...sendOf('reply', 'reply'), thread_id: root });
  await fixture.room.execute(channelId, bob, { type: 'react', message_id: root, emoji: '+1' });
  await isDrained(fixture, 3);
  await runInDurableObject(fixture.room, (_, state) => state.storage.deleteAll());
  await abortAllDurableObjects();
  expect(await fixture.room.execute(channelId, alice, sendOf('root', 'root'))).toMatchObject({ ok: { message_id: root, seq: 1, pos: 1, changed: false } });
  expect(await fixture.room.execute(channelId, alice, sendOf('other', 'root'))).toMatchObject({ problem: { code: 'idempotency_mismatch' } });
  expect(await fixture.room.execute(channelId, bob, { type: 'react', message_id: root, emoji: '+1' })).toMatchObject({ ok: { seq: 3, changed: false } });
  expect(await fixture.room.execute(channelId, bob, { ...sendOf('reply 2', 'reply2'), thread_id: root })).toMatchObject({ ok: { seq: 4, tpos: 2 } });
  await isDrained(fixture, 4);
  expect((await fixture.drained()).epoch).toBeGreaterThan(1);
});
