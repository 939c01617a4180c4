import { env } from 'cloudflare:workers';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { soon } from '../../tests/support/soon.ts';
import { fallsAsleep } from '../asleep-fixture.ts';
import { roomFixture, sendOf } from '../channel-room/room-fixture.ts';
import { SOCKET_LIMITS } from '../sockets/socket-limits.ts';
import { nodeName } from './node-api.ts';

const { room: roomLimit } = SOCKET_LIMITS;
beforeAll(() => void Object.assign(SOCKET_LIMITS, { room: 1 }));
afterAll(() => void Object.assign(SOCKET_LIMITS, { room: roomLimit }));

it('an idle room and its idle node sleep, and wake with the same sockets and cursors (G2, G3)', async () => {
  const { channelId, room, alice, bob, connect, drained } = await roomFixture();
  const node = env.NODES.getByName(nodeName(channelId, 1));
  const [here, there] = [(await connect(alice)).ackAll(), (await connect(bob)).ackAll()];
  await room.execute(channelId, alice, sendOf('before'));
  await vi.waitFor(async () => expect([here.seqs, there.seqs, (await drained()).drained_seq]).toEqual([[1], [1], 1]), 10_000);
  await Promise.all([fallsAsleep(() => room), fallsAsleep(() => node)]);
  await room.execute(channelId, alice, sendOf('after'));
  await soon(() => expect([here.seqs, there.seqs]).toEqual([[1, 2], [1, 2]]));
  there.send({ type: 'send', id: 'x', client_msg_id: 'x', text: 'x' });
  await soon(() => expect([here.seqs, there.seqs, there.closed]).toEqual([[1, 2, 3], [1, 2, 3], null]));
}, 90_000);
