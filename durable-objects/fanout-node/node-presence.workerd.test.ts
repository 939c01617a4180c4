import { evictDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { roomFixture, type TestSocket } from '../channel-room/room-fixture.ts';
import { SOCKET_LIMITS } from '../sockets/socket-limits.ts';
import { InboxTestSocket } from '../user-inbox/inbox-fixture.ts';
import { nodeName } from './node-api.ts';

const { room: roomLimit, node: nodeLimit } = SOCKET_LIMITS;
beforeAll(() => void Object.assign(SOCKET_LIMITS, { room: 1, node: 2 }));
afterAll(() => void Object.assign(SOCKET_LIMITS, { room: roomLimit, node: nodeLimit }));

const PATIENCE = { timeout: 9_000, interval: 100 };
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
}, 60_000);
