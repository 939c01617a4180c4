import { expect, it, vi } from 'vitest';
import { soon } from '../../tests/support/soon.ts';
import { fallsAsleep } from '../asleep-fixture.ts';
import { badgeOf, inboxFixture, noticeOf, telling } from './inbox-fixture.ts';

it.concurrent('an idle inbox sleeps, though it has sockets and has drained, and wakes with the same sockets, events and badges (G2)', async () => {
  const { channelId, inbox, alice, open, stored } = await inboxFixture();
  const socket = await open();
  await inbox.tell(alice.user_id, telling({ notices: [noticeOf(channelId, 1)], badges: [badgeOf(channelId)] }));
  await vi.waitFor(async () => expect(await stored()).toMatchObject({ drained_seq: 1, is_awake: true }), 10_000);
  await fallsAsleep(() => inbox);
  await inbox.tell(alice.user_id, telling({ notices: [noticeOf(channelId, 1), noticeOf(channelId, 2)], badges: [badgeOf(channelId, { as_of_seq: 2, last_pos: 2, unread: 2 })] }));
  await soon(() => expect(socket.events.map(({ seq }) => seq)).toEqual([1, 2]));
  await soon(() => expect(socket.badges).toMatchObject([{ channel_id: channelId, unread: 2 }]));
  expect(socket.closed).toBeNull();
}, 90_000);

it.concurrent('an inbox stays asleep through heartbeats', async () => {
  const { inbox, open } = await inboxFixture();
  const socket = await open();
  let pings = 0;
  await fallsAsleep(() => inbox, () => {
    pings += 1;
    socket.send('ping');
  });
  expect(socket.pongs).toBe(pings);
}, 90_000);
