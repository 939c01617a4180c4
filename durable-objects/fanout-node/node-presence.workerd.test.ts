import { evictDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type RoomFixture, roomFixture, type TestSocket, withPostgres } from '../channel-room/room-fixture.ts';
import type { Actor } from '../sockets/actor-api.ts';
import { SOCKET_LIMITS } from '../sockets/socket-limits.ts';
import { InboxTestSocket } from '../user-inbox/inbox-fixture.ts';
import { nodeName } from './node-api.ts';

const { room: roomLimit, node: nodeLimit } = SOCKET_LIMITS;
beforeAll(() => void Object.assign(SOCKET_LIMITS, { room: 1, node: 2 }));
afterAll(() => void Object.assign(SOCKET_LIMITS, { room: roomLimit, node: nodeLimit }));

const PATIENCE = { timeout: 20_000, interval: 100 };
const frames = (socket: TestSocket) => socket.frames.filter((frame) => frame.type === 'presence');
const stateOf = (socket: TestSocket, userId: string): string | undefined =>
  frames(socket).flatMap(({ users }) => users ?? []).findLast(({ user_id }) => user_id === userId)?.state;

it('a socket on a node sees who comes and turns idle, as one at the room does, also after the node slept', async () => {
  const { alice, bob, channelId, connect } = await roomFixture();
  const sockets = [await connect(bob), await connect(bob), await connect(bob)];
  for (const socket of sockets) socket.send({ type: 'watch', presence: true });
  await vi.waitFor(() => sockets.forEach((socket) => expect(frames(socket)[0]).toEqual({ type: 'presence', full: true, users: [], present: 0 })), PATIENCE);
  const device = await InboxTestSocket.open(env.INBOXES.getByName(alice.user_id), { actor: alice, since: null });
  await vi.waitFor(() => sockets.forEach((socket) => expect(stateOf(socket, alice.user_id)).toBe('online')), PATIENCE);
  await evictDurableObject(env.NODES.getByName(nodeName(channelId, 1)));
  device.send({ type: 'activity', state: 'idle' });
  await vi.waitFor(() => sockets.forEach((socket) => expect(stateOf(socket, alice.user_id)).toBe('away')), PATIENCE);
  sockets[2]?.send({ type: 'watch', presence: true });
  await vi.waitFor(() => expect(sockets.slice(2).map((socket) => frames(socket).at(-1))).toMatchObject([{ full: true, present: 1 }]), PATIENCE);
}, 90_000);

/** So many more, that a channel tells numbers instead of names. */
const addMembers = (channelId: string, count: number) =>
  withPostgres(async (sql) => {
    await sql`
      WITH added AS (
        INSERT INTO users (id, issuer, subject, handle, display_name)
        SELECT id, 'test', id, id, 'Somebody' FROM (SELECT gen_random_uuid() AS id FROM generate_series(1, ${count}::int)) AS made RETURNING id)
      INSERT INTO members (channel_id, user_id, role, version) SELECT ${channelId}, id, 'member', 2 FROM added`;
  });

it('a large channel counts a user once, with sockets at the room and on two nodes; after eviction of either, and when they leave (P28)', async () => {
  const fixture = await roomFixture();
  const { alice, bob, channelId, connect } = fixture;
  await addMembers(channelId, 200);
  const sockets = [await connect(alice), await connect(alice), await connect(bob), await connect(bob)];
  const present = (): unknown[] => [sockets[0], sockets[3]].map((socket) => (socket === undefined ? null : frames(socket).at(-1)));
  for (const socket of sockets) socket.send({ type: 'watch', presence: true });
  await vi.waitFor(() => expect(present()).toMatchObject([{ users: null, present: 2 }, { users: null, present: 2 }]), PATIENCE);
  await evictDurableObject(fixture.room);
  await evictDurableObject(env.NODES.getByName(nodeName(channelId, 1)));
  sockets[0]?.send({ type: 'watch', presence: true });
  const joined = await connect(await memberOf(fixture));
  await vi.waitFor(() => expect(present()).toMatchObject([{ present: 3 }, { present: 3 }]), PATIENCE);
  sockets[2]?.close();
  joined.close();
  await vi.waitFor(() => expect(present()).toMatchObject([{ present: 2 }, { present: 2 }]), PATIENCE);
}, 90_000);

async function memberOf(fixture: RoomFixture): Promise<Actor> {
  const actor = await fixture.stranger();
  await fixture.room.applyMemberChange(fixture.channelId, await fixture.change(actor, 'member'));
  return actor;
}
