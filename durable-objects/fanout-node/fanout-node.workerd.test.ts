import { evictDurableObject, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { problemSchema } from '../../protocol/errors.ts';
import { soon } from '../../tests/support/soon.ts';
import { range, roomFixture, sendOf, TestSocket, type RoomFixture } from '../channel-room/room-fixture.ts';
import { openSockets } from '../sockets/open-sockets.ts';
import { SOCKET_LIMITS } from '../sockets/socket-limits.ts';
import { nodeName } from './node-api.ts';

const { room: roomLimit, node: nodeLimit } = SOCKET_LIMITS;
const { MAX_CHANNEL_SOCKETS } = env;
beforeAll(() => {
  Object.assign(SOCKET_LIMITS, { room: 2, node: 3 });
  Object.assign(env, { MAX_CHANNEL_SOCKETS: '9' });
});
afterAll(() => {
  Object.assign(SOCKET_LIMITS, { room: roomLimit, node: nodeLimit });
  Object.assign(env, { MAX_CHANNEL_SOCKETS });
});

const node = ({ channelId }: RoomFixture, n: number) => env.NODES.getByName(nodeName(channelId, n));

/** Sockets of Alice's: two at the room, three a node. */
async function crowd(fixture: RoomFixture, count: number): Promise<TestSocket[]> {
  const sockets: TestSocket[] = [];
  for (let n = 0; n < count; n++) sockets.push((await fixture.connect(fixture.alice)).ackAll());
  return sockets;
}

const send = (fixture: RoomFixture, text = 'x') => fixture.room.execute(fixture.channelId, fixture.alice, sendOf(text));
const haveAll = (sockets: readonly TestSocket[], seq: number): Promise<void> =>
  vi.waitFor(() => sockets.forEach((socket) => expect(socket.seqs).toEqual(range(1, seq))), 10_000);

it('every socket of room and nodes gets every event, in order (G3), and commands go both ways (P12)', async () => {
  const fixture = await roomFixture();
  const sockets = await crowd(fixture, 8);
  for (let n = 0; n < 20; n++) await send(fixture);
  await haveAll(sockets, 20);
  sockets[7]?.send({ type: 'send', id: 'mine', client_msg_id: 'from-a-node', text: 'from a node' });
  await haveAll(sockets, 21);
  await soon(() => expect(sockets[7]?.result('mine')).toMatchObject({ ok: { seq: 21 } }));
});

it('refuses past the limit of the channel, with 503 and a time to come back (G8); and takes one in when one has left (P48)', async () => {
  const fixture = await roomFixture();
  const sockets = await crowd(fixture, 9);
  const refused = await TestSocket.request(fixture.room, { channel_id: fixture.channelId, actor: fixture.alice, since: null });
  expect([refused.status, refused.headers.get('Retry-After'), problemSchema.parse(await refused.json()).code]).toEqual([503, '30', 'unavailable']);
  sockets[4]?.close();
  await vi.waitFor(async () => expect((await fixture.connect(fixture.alice)).welcome.recovered).toBe(false), { timeout: 10_000, interval: 500 });
}, 30_000);

it('a planned restart is told to all sockets, of a sleeping node too', async () => {
  const fixture = await roomFixture();
  const sockets = await crowd(fixture, 8);
  await evictDurableObject(node(fixture, 1));
  expect(await fixture.room.prepareRestart(60_000)).toBe(8);
  for (const socket of sockets) await soon(() => expect(socket.frames.at(-1)).toEqual({ type: 'reconnect', within_ms: 60_000 }));
});

it('refuses past the limit of the process, whichever object is asked (G8)', async () => {
  const fixture = await roomFixture();
  const { process } = SOCKET_LIMITS;
  Object.assign(SOCKET_LIMITS, { process: openSockets.total + 1 });
  const socket = await fixture.connect(fixture.alice);
  const other = await roomFixture();
  const refused = await TestSocket.request(other.room, { channel_id: other.channelId, actor: other.alice, since: null });
  Object.assign(SOCKET_LIMITS, { process });
  expect([refused.status, refused.headers.get('Retry-After')]).toEqual([503, '30']);
  const before = openSockets.total;
  socket.close();
  await soon(() => expect(openSockets.total).toBe(before - 1));
});

/** What came on a socket, and, where it was closed to resume, on the one that did. */
async function allOf(fixture: RoomFixture, socket: TestSocket, seq: number): Promise<number[]> {
  await vi.waitFor(() => expect(socket.closed !== null || socket.seqs.at(-1) === seq).toBe(true), 10_000);
  if (socket.closed === null) return socket.seqs;
  expect(socket.closed.code).toBe(1012);
  const resumed = (await fixture.connect(fixture.alice, { epoch: 1, seq: socket.seqs.at(-1) ?? 0 })).ackAll();
  expect(resumed.welcome.recovered).toBe(true);
  await vi.waitFor(() => expect([...socket.seqs, ...resumed.seqs].at(-1)).toBe(seq), 10_000);
  return [...socket.seqs, ...resumed.seqs];
}

it.each(['node', 'room'])('a %s evicted in the middle of sending costs no socket an event, and gives none twice (G2, G4)', async (evicted) => {
  const fixture = await roomFixture();
  const sockets = await crowd(fixture, 8);
  const batch = () => fixture.room.executeBatch(fixture.channelId, fixture.alice, range(1, 100).map((n) => sendOf(`text ${n}`)));
  for (let n = 0; n < 3; n++) await batch();
  await evictDurableObject(evicted === 'node' ? node(fixture, 1) : fixture.room);
  for (let n = 0; n < 3; n++) await batch();
  for (const socket of sockets) expect(await allOf(fixture, socket, 600)).toEqual(range(1, 600));
}, 60_000);

/** The records of its sockets say what was sent to them: another instance can go on from there. */
const isSettled = (object: DurableObjectStub): Promise<void> =>
  soon(() => runInDurableObject(object, (_, state) => state.getWebSockets().forEach((webSocket) => expect(webSocket.deserializeAttachment()).toMatchObject({ settled: true }))));

it('a node that has lost its ring serves resumes and those who are behind from the room (G4)', async () => {
  const fixture = await roomFixture();
  await crowd(fixture, 2);
  const slow = await fixture.connect(fixture.bob);
  for (let n = 0; n < 6; n++) await fixture.room.executeBatch(fixture.channelId, fixture.alice, range(1, 200).map(() => sendOf('x')));
  await soon(() => expect(slow.seqs).toEqual(range(1, 1_000)));
  await isSettled(node(fixture, 1));
  await evictDurableObject(node(fixture, 1));
  slow.ackAll().send({ type: 'ack', seq: 1_000 });
  const resumed = await fixture.connect(fixture.bob, { epoch: 1, seq: 700 });
  await soon(() => expect([slow.seqs, resumed.seqs]).toEqual([range(1, 1_200), range(701, 1_200)]));
  await send(fixture);
  await soon(() => expect([slow.seqs.at(-1), resumed.seqs.at(-1)]).toEqual([1_201, 1_201]));
  expect([slow.closed, resumed.welcome.recovered]).toEqual([null, true]);
}, 60_000);

it('removal and revocation have ended live access on nodes too when they return, on one that was evicted too (G5, P36)', async () => {
  const fixture = await roomFixture();
  await crowd(fixture, 2);
  const [gone, stays] = [await fixture.connect(fixture.bob), await fixture.connect(fixture.alice)];
  await evictDurableObject(node(fixture, 1));
  await fixture.room.applyMemberChange(fixture.channelId, await fixture.change(fixture.bob, null));
  await send(fixture, 'secret');
  await soon(() => expect(gone.closed?.code).toBe(4003));
  expect(gone.events.filter(({ type }) => type === 'message.created')).toEqual([]);
  await soon(() => expect(stays.seqs).toEqual([1, 2]));
  await fixture.room.revokeCredentials(fixture.channelId, [fixture.alice]);
  await soon(() => expect(stays.closed?.code).toBe(4001));
});

it('a removal that a node could not be told is answered with a failure, and ends there too before the node hears anything more (G5)', async () => {
  const fixture = await roomFixture();
  await crowd(fixture, 2);
  const [gone, stays] = [await fixture.connect(fixture.bob), (await fixture.connect(fixture.alice)).ackAll()];
  const withNodes = (NODES: object): Promise<void> => runInDurableObject(fixture.room, (instance) => void Object.assign(instance, { env: { ...env, NODES } }));
  await withNodes({ getByName: () => ({ ...env.NODES.getByName(nodeName(fixture.channelId, 1)), closeWhere: () => Promise.reject(new Error('away')), publish: () => Promise.reject(new Error('away')) }) });
  const removal = await fixture.change(fixture.bob, null);
  expect(await fixture.room.applyMemberChange(fixture.channelId, removal).then(() => 'told', String)).toContain('away');
  await withNodes(env.NODES);
  await send(fixture, 'secret');
  await vi.waitFor(() => expect([gone.closed?.code, stays.closed?.code]).toEqual([1012, 1012]), 10_000);
  expect(gone.events).toEqual([]);
  const resume = (who: typeof fixture.alice) => TestSocket.request(fixture.room, { channel_id: fixture.channelId, actor: who, since: { epoch: 1, seq: 0 } });
  expect(problemSchema.parse(await (await resume(fixture.bob)).json()).code).toBe('not_a_member');
  expect(await allOf(fixture, stays, 2)).toEqual([1, 2]);
});

it('who is no member is sent to no node', async () => {
  const fixture = await roomFixture();
  await crowd(fixture, 2);
  const refused = await TestSocket.request(fixture.room, { channel_id: fixture.channelId, actor: await fixture.stranger(), since: null });
  expect(problemSchema.parse(await refused.json()).code).toBe('not_a_member');
});
