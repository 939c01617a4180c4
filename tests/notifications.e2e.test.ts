import { afterAll, beforeAll, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { InboxSession } from '../client/inbox-session.ts';
import { systemClock } from '../client/ports.ts';
import type { InboxEvent } from '../protocol/inbox-events.ts';
import { eventually } from './support/event-log.ts';
import { startWorld, type World, type WorldUser } from './support/world.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld('notifications');
});
afterAll(() => world.close());

interface Listening {
  readonly session: InboxSession;
  readonly texts: () => Promise<string[]>;
  readonly events: InboxEvent[];
}

/** A device of the real client. */
function listen({ api, token }: WorldUser): Listening {
  const events: InboxEvent[] = [];
  const openSocket = (url: string, protocols: string[]) => new WebSocket(url, protocols, { headers: { authorization: `Bearer ${token}` } });
  const session = new InboxSession({ api, openSocket, tickets: false, clock: systemClock, random: Math.random }, { events: (some) => events.push(...some) });
  session.start();
  return { session, events, texts: async () => (await api.notifications()).data.map(({ text, quiet }) => (quiet ? `${text} (quiet)` : text)).toReversed() };
}

it('who reads a channel is not notified of it, who looks away is; quiet hours are marked: through room, drain, log, notifier and inbox', async () => {
  const [alice, bob] = [await world.user('alice'), await world.user('bob')];
  const channel = await world.channel('talk', [alice, bob]);
  const elsewhere = await world.channel('elsewhere', [alice, bob]);
  const { session, texts, events } = listen(alice);
  await eventually(() => session.cursor !== null);
  const send = (id: string, text: string, to = channel) => bob.api.send(to, { client_msg_id: id, text });
  let sent = 0;
  /** After it everything before has been told, for the channel is one key of the log: something that is never in view. */
  const settle = async (): Promise<void> => {
    sent += 1;
    const root = await alice.api.send(channel, { client_msg_id: `root-${sent}`, text: `root ${sent}` });
    await bob.api.send(channel, { client_msg_id: `reply-${sent}`, text: `reply ${sent}`, thread_id: root.message_id });
    await eventually(async () => (await texts()).includes(`reply ${sent}`), 15_000, texts);
  };

  session.view({ channelId: channel, threadId: null });
  await send('1', 'seen, @alice');
  await send('2', 'not seen, @alice', elsewhere);
  await settle();
  session.view(null);
  await send('3', 'looked away, @alice');
  await settle();
  await eventually(async () => (await texts()).includes('not seen, @alice'), 15_000, texts);
  expect((await texts()).filter((text) => text.includes('@alice')).toSorted()).toEqual(['looked away, @alice', 'not seen, @alice']);

  const settings = await alice.api.notificationSettings();
  const quiet_hours = { start_minute: 0, end_minute: 0, time_zone: 'Europe/Berlin', weekdays: [1, 2, 3, 4, 5, 6, 7] };
  const changed = await alice.api.changeNotificationSettings(settings.version, { quiet_hours, keywords: ['difference engine'] });
  await send('4', 'the Difference Engine!');
  await eventually(async () => (await texts()).includes('the Difference Engine! (quiet)'), 15_000, texts);
  expect(events.findLast((event) => event.type === 'message.notified')).toMatchObject({ reason: 'keyword', quiet: true });

  await alice.api.changeNotificationSettings(changed.version, { quiet_hours: null });
  const here = await alice.api.channelNotificationSettings(channel);
  await alice.api.changeChannelNotificationSettings(channel, here.version, { muted: true });
  await send('5', 'the difference engine, muted');
  await send('6', 'muted, but @alice');
  await eventually(async () => (await texts()).includes('muted, but @alice'), 15_000, texts);
  expect(await texts()).not.toContain('the difference engine, muted');

  const { read_seq } = await alice.api.markNotificationsRead(null);
  await eventually(() => events.some((event) => event.type === 'notices.read' && event.read_seq === read_seq));
  await eventually(async () => (await alice.api.notifications({ unread: 'true' })).data.length === 0);
  session.stop();
}, 90_000);
