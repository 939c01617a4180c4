import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import { presenceEventSchema, type UserPresence } from '../../protocol/presence.ts';
import { roomFixture, type TestSocket, withPostgres } from '../channel-room/room-fixture.ts';
import { fallsAsleep } from '../asleep-fixture.ts';
import type { Actor } from '../sockets/actor-api.ts';
import { InboxTestSocket } from './inbox-fixture.ts';
import { LEASE_MS } from './presence.ts';

const PATIENCE = { timeout: 20_000, interval: 100 };

const inboxOf = ({ user_id }: Actor) => env.INBOXES.getByName(user_id);
const openInbox = (actor: Actor): Promise<InboxTestSocket> => InboxTestSocket.open(inboxOf(actor), { actor, since: null });

const presenceFrames = (socket: TestSocket) => socket.frames.filter((frame) => frame.type === 'presence');

/** What a client knows of who is present: a full frame begins anew, and who is missing in it is offline. */
function seenBy(socket: TestSocket): Map<string, UserPresence['state']> {
  const seen = new Map<string, UserPresence['state']>();
  for (const { full, users } of presenceFrames(socket)) {
    if (full) seen.clear();
    for (const { user_id, state } of users ?? []) seen.set(user_id, state);
  }
  return seen;
}

async function watching(connect: (actor: Actor) => Promise<TestSocket>, actor: Actor): Promise<TestSocket> {
  const socket = await connect(actor);
  socket.send({ type: 'watch', presence: true });
  await vi.waitFor(() => expect(presenceFrames(socket).length).toBeGreaterThan(0), PATIENCE);
  return socket;
}

const events = async ({ user_id }: Actor) =>
  withPostgres(async (sql) => {
    const rows = await sql<{ type: string; data: unknown }[]>`
      SELECT type, data FROM event_log WHERE topic = 'presence.events' AND key = ${user_id} ORDER BY position`;
    return rows.map(({ type, data }) => ({ type, state: presenceEventSchema.parse(data).state }));
  });

/** The client is gone, and nobody was told: as after a lease without a ping. */
async function dieSilently(actor: Actor): Promise<void> {
  await runInDurableObject(inboxOf(actor), (_, state) => {
    for (const webSocket of state.getWebSockets()) {
      webSocket.serializeAttachment({ ...webSocket.deserializeAttachment(), activity: { idle: false, at: Date.now() - LEASE_MS } });
    }
  });
  await evictDurableObject(inboxOf(actor));
}

it.concurrent('who comes, turns idle and goes is seen by those who look, within seconds, and is logged (P27)', async () => {
  const { alice, bob, connect } = await roomFixture();
  const bobs = await watching(connect, bob);
  expect(presenceFrames(bobs)).toEqual([{ type: 'presence', full: true, users: [], present: 0 }]);
  const alices = await openInbox(alice);
  await vi.waitFor(() => expect(seenBy(bobs).get(alice.user_id)).toBe('online'), PATIENCE);
  alices.send({ type: 'activity', state: 'idle' });
  await vi.waitFor(() => expect(seenBy(bobs).get(alice.user_id)).toBe('away'), PATIENCE);
  alices.close();
  await vi.waitFor(() => expect(seenBy(bobs).get(alice.user_id)).toBe('offline'), { ...PATIENCE, timeout: 30_000 });
  expect(presenceFrames(bobs).at(-1)).toMatchObject({ full: false, present: 0 });
  await vi.waitFor(async () => expect((await events(alice)).map(({ state }) => state)).toEqual(['online', 'away', 'offline']), PATIENCE);
  expect(new Set((await events(alice)).map(({ type }) => type))).toEqual(new Set(['colink.presence.changed.v1']));
}, 90_000);

it.concurrent('a connection that died without a word is offline after its lease', async () => {
  const { alice, bob, connect } = await roomFixture();
  const bobs = await watching(connect, bob);
  await openInbox(alice);
  await vi.waitFor(() => expect(seenBy(bobs).get(alice.user_id)).toBe('online'), PATIENCE);
  await dieSilently(alice);
  await sleep(5_000);
  expect(await runDurableObjectAlarm(inboxOf(alice))).toBe(true);
  await vi.waitFor(() => expect(seenBy(bobs).get(alice.user_id)).toBe('offline'), PATIENCE);
}, 90_000);

it.concurrent('who is removed is seen no more, and sees no more (G5)', async () => {
  const { alice, bob, stranger, change, room, channelId, connect } = await roomFixture();
  const carol = await stranger();
  await room.applyMemberChange(channelId, await change(carol, 'member'));
  const [bobs, carols] = [await watching(connect, bob), await watching(connect, carol)];
  const alices = await openInbox(alice);
  await vi.waitFor(() => expect([seenBy(bobs).get(alice.user_id), seenBy(carols).get(alice.user_id)]).toEqual(['online', 'online']), PATIENCE);
  await room.applyMemberChange(channelId, await change(alice, null));
  await room.applyMemberChange(channelId, await change(carol, null));
  await vi.waitFor(() => expect([carols.closed?.code, presenceFrames(bobs).at(-1)?.present]).toEqual([4003, 0]), PATIENCE);
  const before = [presenceFrames(bobs).length, presenceFrames(carols).length];
  alices.send({ type: 'activity', state: 'idle' });
  await vi.waitFor(async () => expect((await events(alice)).at(-1)?.state).toBe('away'), PATIENCE);
  await sleep(1_500);
  expect([presenceFrames(bobs).length, presenceFrames(carols).length]).toEqual(before);
  expect(presenceFrames(await watching(connect, bob)).at(-1)).toMatchObject({ users: [], present: 0 });
}, 90_000);

it.concurrent('a room in which somebody looks sleeps, and so does the inbox of who is present; the sweep alone wakes it', async () => {
  const { alice, bob, room, connect } = await roomFixture();
  const bobs = await watching(connect, bob);
  const alices = await openInbox(alice);
  await vi.waitFor(() => expect(seenBy(bobs).get(alice.user_id)).toBe('online'), PATIENCE);
  await Promise.all([fallsAsleep(() => room, () => bobs.send('ping')), fallsAsleep(() => inboxOf(alice), () => alices.send('ping'))]);
  await evictDurableObject(inboxOf(alice));
  expect(await runDurableObjectAlarm(inboxOf(alice))).toBe(true);
  const next = await runInDurableObject(inboxOf(alice), (_, state) => state.storage.getAlarm());
  expect((next ?? 0) - Date.now()).toBeGreaterThan(LEASE_MS - 20_000);
  alices.send({ type: 'activity', state: 'idle' });
  await vi.waitFor(() => expect(seenBy(bobs).get(alice.user_id)).toBe('away'), PATIENCE);
}, 90_000);
