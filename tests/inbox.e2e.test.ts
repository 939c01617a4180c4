import { afterAll, beforeAll, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { type InboxServerFrame, inboxServerFrameSchema } from '../protocol/frames.ts';
import { SUBPROTOCOL } from '../protocol/version.ts';
import { eventually } from './support/event-log.ts';
import { startWorld, type World, type WorldUser } from './support/world.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld('inbox');
});
afterAll(() => world.close());

function listen({ token }: WorldUser): { frames: InboxServerFrame[]; close(): void } {
  const frames: InboxServerFrame[] = [];
  const url = new URL('/v1/me/socket', world.baseUrl.replace('http', 'ws'));
  const socket = new WebSocket(url, SUBPROTOCOL, { headers: { authorization: `Bearer ${token}` } });
  socket.on('message', (data) => {
    const frame = inboxServerFrameSchema.parse(JSON.parse(String(data)));
    frames.push(frame);
    if (frame.type === 'welcome') socket.send(JSON.stringify({ type: 'ack', seq: frame.seq }));
    if (frame.type === 'events') socket.send(JSON.stringify({ type: 'ack', seq: frame.to }));
  });
  return { frames, close: () => socket.close() };
}

const events = (frames: readonly InboxServerFrame[]) => frames.flatMap((frame) => (frame.type === 'events' ? frame.events : []));
const lastBadge = (frames: readonly InboxServerFrame[], id: string) =>
  frames.flatMap((frame) => (frame.type === 'badges' ? frame.badges : [])).findLast(({ channel_id }) => channel_id === id);

it('what bob writes to alice reaches her inbox, and what she reads on one device the other: through room, drain, log, notifier and Worker', async () => {
  const [alice, bob] = [await world.user('alice'), await world.user('bob')];
  const [laptop, phone] = [listen(alice), listen(alice)];
  await eventually(() => laptop.frames.length > 1 && phone.frames.length > 1);
  const channel = await world.channel('inbox', [alice, bob]);
  await eventually(() => events(phone.frames).some(({ type }) => type === 'channel.joined'));

  const [plain, named] = [await bob.api.send(channel, { client_msg_id: '1', text: 'plain' }), await bob.api.send(channel, { client_msg_id: '2', text: 'for @alice' })];
  const root = await alice.api.send(channel, { client_msg_id: '3', text: 'a root' });
  const reply = await bob.api.send(channel, { client_msg_id: '4', text: 'a reply', thread_id: root.message_id });
  const notices = () => events(phone.frames).flatMap((event) => (event.type === 'message.notified' ? [[event.reason, event.message_id]] : []));
  await eventually(() => notices().length === 2, 10_000, notices);
  expect(notices()).toEqual([['mention', named.message_id], ['thread_reply', reply.message_id]]);
  await eventually(() => lastBadge(phone.frames, channel)?.last_pos === 3, 10_000, () => phone.frames.slice(-3));
  expect(lastBadge(phone.frames, channel)).toMatchObject({ unread: 2, mentions: 1, read_pos: 0 });

  await alice.api.markRead(channel, plain.pos ?? 0);
  await eventually(() => lastBadge(phone.frames, channel)?.unread === 1, 10_000, () => phone.frames.slice(-3));
  await alice.api.markRead(channel, 3);
  await eventually(() => lastBadge(phone.frames, channel)?.unread === 0);
  expect(events(phone.frames).filter(({ type }) => type === 'read.moved')).toMatchObject([{ read_pos: 1 }, { read_pos: 3 }]);
  for (const { close } of [laptop, phone]) close();
}, 60_000);
