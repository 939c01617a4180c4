import { runInDurableObject } from 'cloudflare:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import { soon } from '../../tests/support/soon.ts';
import { badgeOf, inboxFixture, noticeOf, telling } from './inbox-fixture.ts';
import type { UserInbox } from './user-inbox.ts';

/** The platform lets an idle object sleep after 10 s. */
const ASLEEP_MS = 12_000;

const instances = new WeakMap<object, number>();
let seen = 0;
/** Numbers the instances of objects in the order they are seen. */
const instanceOf = (inbox: DurableObjectStub<UserInbox>): Promise<number> =>
  runInDurableObject(inbox, (instance) => {
    const known = instances.get(instance) ?? (seen += 1);
    instances.set(instance, known);
    return known;
  });

it.concurrent('an idle inbox sleeps, though it has sockets and has drained, and wakes with the same sockets, events and badges (G2)', async () => {
  const { channelId, inbox, alice, open, stored } = await inboxFixture();
  const socket = await open();
  await inbox.tell(alice.user_id, telling({ notices: [noticeOf(channelId, 1)], badges: [badgeOf(channelId)] }));
  await vi.waitFor(async () => expect(await stored()).toMatchObject({ drained_seq: 1, is_awake: true }), 5_000);
  const before = await instanceOf(inbox);
  await sleep(ASLEEP_MS);
  expect(await instanceOf(inbox)).not.toBe(before);
  await inbox.tell(alice.user_id, telling({ notices: [noticeOf(channelId, 1), noticeOf(channelId, 2)], badges: [badgeOf(channelId, { as_of_seq: 2, last_pos: 2, unread: 2 })] }));
  await soon(() => expect(socket.events.map(({ seq }) => seq)).toEqual([1, 2]));
  await soon(() => expect(socket.badges).toMatchObject([{ channel_id: channelId, unread: 2 }]));
  expect(socket.closed).toBeNull();
}, 40_000);

it.concurrent('an inbox stays asleep through heartbeats', async () => {
  const { inbox, open } = await inboxFixture();
  const socket = await open();
  const before = await instanceOf(inbox);
  for (let second = 0; second < ASLEEP_MS; second += 3_000) {
    socket.send('ping');
    await sleep(3_000);
  }
  expect(await instanceOf(inbox)).not.toBe(before);
  expect(socket.pongs).toBe(4);
}, 40_000);
