import { runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { soon } from '../../tests/support/soon.ts';
import { roomFixture, sendOf } from '../channel-room/room-fixture.ts';
import { SOCKET_LIMITS } from '../sockets/socket-limits.ts';
import { nodeName } from './node-api.ts';

/** The platform lets an idle object sleep after 10 s. */
const ASLEEP_MS = 13_000;

const { room: roomLimit } = SOCKET_LIMITS;
beforeAll(() => void Object.assign(SOCKET_LIMITS, { room: 1 }));
afterAll(() => void Object.assign(SOCKET_LIMITS, { room: roomLimit }));

const instances = new WeakMap<object, number>();
let seen = 0;
const instanceOf = <T extends Rpc.DurableObjectBranded>(stub: DurableObjectStub<T>): Promise<number> =>
  runInDurableObject(stub, (instance) => {
    const known = instances.get(instance) ?? (seen += 1);
    instances.set(instance, known);
    return known;
  });

it('an idle room and its idle node sleep, and wake with the same sockets and cursors (G2, G3)', async () => {
  const { channelId, room, alice, bob, connect, drained } = await roomFixture();
  const node = env.NODES.getByName(nodeName(channelId, 1));
  const [here, there] = [(await connect(alice)).ackAll(), (await connect(bob)).ackAll()];
  await room.execute(channelId, alice, sendOf('before'));
  await vi.waitFor(async () => expect([here.seqs, there.seqs, (await drained()).drained_seq]).toEqual([[1], [1], 1]), 5_000);
  await sleep(3_000);
  const before = [await instanceOf(room), await instanceOf(node)];
  await sleep(ASLEEP_MS);
  expect(await instanceOf(room)).not.toBe(before[0]);
  expect(await instanceOf(node)).not.toBe(before[1]);
  await room.execute(channelId, alice, sendOf('after'));
  await soon(() => expect([here.seqs, there.seqs]).toEqual([[1, 2], [1, 2]]));
  there.send({ type: 'send', id: 'x', client_msg_id: 'x', text: 'x' });
  await soon(() => expect([here.seqs, there.seqs, there.closed]).toEqual([[1, 2, 3], [1, 2, 3], null]));
}, 60_000);
