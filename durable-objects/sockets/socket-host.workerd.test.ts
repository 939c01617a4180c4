import { env } from 'cloudflare:workers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { soon } from '../../tests/support/soon.ts';
import { range, roomFixture, TestSocket } from '../channel-room/room-fixture.ts';
import { openSockets } from './open-sockets.ts';
import { SOCKET_LIMITS } from './socket-limits.ts';

const { process } = SOCKET_LIMITS;
const { MAX_CHANNEL_SOCKETS } = env;
beforeAll(() => void Object.assign(env, { MAX_CHANNEL_SOCKETS: '1' }));
afterAll(() => {
  Object.assign(SOCKET_LIMITS, { process });
  Object.assign(env, { MAX_CHANNEL_SOCKETS });
});

it('upgrades that wait for a room to open count as its sockets: all at once they get past no limit (G8)', async () => {
  const { room, channelId, alice } = await roomFixture();
  const before = openSockets.total;
  Object.assign(SOCKET_LIMITS, { process: before + 2 });
  const answers = await Promise.all(range(1, 5).map(() => TestSocket.request(room, { channel_id: channelId, actor: alice, since: null })));
  Object.assign(SOCKET_LIMITS, { process });
  expect(answers.map(({ status }) => status).sort()).toEqual([101, 101, 503, 503, 503]);
  expect(openSockets.total).toBe(before + 2);
  answers.forEach(({ webSocket }) => webSocket?.accept());
  answers.forEach(({ webSocket }) => webSocket?.close());
  await soon(() => expect(openSockets.total).toBe(before));
});

it('an upgrade that is refused counts no longer', async () => {
  const { room, channelId, stranger } = await roomFixture();
  const before = openSockets.total;
  const refused = await TestSocket.request(room, { channel_id: channelId, actor: await stranger(), since: null });
  expect([refused.status, openSockets.total]).toEqual([403, before]);
});
