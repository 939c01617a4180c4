import { CLOSED_MS, LEASE_MS } from '../../durable-objects/user-inbox/presence.ts';
import { PRESENCE_EVERY_SECONDS } from '../../protocol/limits.ts';
import type { PresenceState } from '../../protocol/presence.ts';
import { isLaterPlace } from '../../protocol/read-places.ts';
import type { InboxDevice } from './inbox-device.ts';
import type { InboxObject } from './inbox-object.ts';
import type { World } from './world.ts';

/** Longest until others see that somebody is gone, in milliseconds: the lease, the pause between changes, and the way. */
export const GONE_MS = LEASE_MS + CLOSED_MS + PRESENCE_EVERY_SECONDS * 1_000 + 10_000;

/** What must hold of inboxes when everything has come to rest. */
export function judgePeople(world: World): void {
  for (const inbox of world.inboxes) judgeInbox(world, inbox);
  for (const device of world.inboxDevices) judgeInboxDevice(world, device);
}

function judgeInbox(world: World, { stored }: InboxObject): void {
  const { watch, inboxDevices } = world;
  judgeNotices(world, stored);
  const truth = watch.inbox(stored.userId);
  if (stored.place.drained_seq !== truth.head) watch.violate('G6', `Postgres has ${stored.place.drained_seq} of ${truth.head} events of the inbox of ${stored.handle}`);
  for (const { inbox, name, read } of inboxDevices) {
    if (inbox.stored === stored && isLaterPlace(read, stored.read)) watch.violate('G1', `${name} was told of the marker ${JSON.stringify(read)}, and Postgres has ${JSON.stringify(stored.read)}`);
  }
}

/**
 * Of each message that names them a user was notified, or has read it. Not judged is who was removed for a while, for which membership the notifier met is not
 * known here, who has had the channel before their eyes, and who has marked as unread what they had read before.
 */
function judgeNotices({ watch, stored: { events } }: World, stored: InboxObject['stored']): void {
  const { userId, handle, read } = stored;
  if (watch.everRemoved.has(userId) || watch.viewers.has(userId) || read.generation > 0) return;
  const told = new Set(watch.inbox(userId).events.flatMap((event) => (event.type === 'message.notified' ? [event.message_id] : [])));
  for (const event of events) {
    if (event.type !== 'message.created' || event.actor_id === userId || !stored.isNamed(event.text) || (event.pos ?? 0) <= read.pos) continue;
    if (!told.has(event.message_id)) watch.violate('G7', `${handle} was not notified of event ${event.seq}, which they have not read`);
  }
}

function judgeInboxDevice({ watch }: World, device: InboxDevice): void {
  const { name, inbox, session, unread } = device;
  const head = watch.inbox(inbox.stored.userId).head;
  if (session?.cursor?.seq !== head) watch.violate('G4', `${name} is at ${session?.cursor?.seq} of ${head}`);
  if (!showsCounts(device)) watch.violate('G7', `${name} shows ${JSON.stringify(unread)}, and counted are ${JSON.stringify(inbox.stored.badges())}`);
}

/** Whether what is shown as unread is what counting it anew gives: after the marker, not own, not deleted. */
export function showsCounts({ inbox, unread }: InboxDevice): boolean {
  const counted = inbox.stored.badges().filter((badge) => badge.unread > 0);
  return JSON.stringify(unread) === JSON.stringify(counted.map(({ channel_id, last_pos, read_pos, read_generation, unread: n, mentions }) => ({ channel_id, last_pos, read_pos, ...(read_generation > 0 && { read_generation }), unread: n, mentions })));
}

/** Whoever is not seen as their devices make it, by all who look; to be asked when every lease of before has ended. */
export function wronglySeen({ inboxes, inboxDevices, devices }: World): string[] {
  return inboxes.flatMap((inbox) => {
    const { userId, handle } = inbox.stored;
    const expected = stateOf(inboxDevices.filter((device) => device.inbox === inbox));
    const lookers = devices.filter(({ isLooking }) => isLooking).map(({ name, session }) => [name, session?.presence.users?.get(userId)?.state ?? 'offline'] as const);
    const views = [['their inbox', inbox.seen ?? 'offline'] as const, ...lookers];
    return views.filter(([, seen]) => seen !== expected).map(([by, seen]) => `${handle} is ${expected}, and ${seen} to ${by}`);
  });
}

/** Who sees somebody type, long after the last key. */
export const seesTyping = ({ devices }: World): string[] => devices.filter(({ session }) => (session?.typists.length ?? 0) > 0).map(({ name }) => `${name} still sees somebody type`);

function stateOf(devices: readonly InboxDevice[]): PresenceState {
  const open = devices.filter(({ session }) => session !== null);
  if (open.length === 0) return 'offline';
  return open.some(({ isActive }) => isActive) ? 'online' : 'away';
}
