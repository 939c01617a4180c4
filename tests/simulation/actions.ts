import { integer, pick } from '../../client/testing/random.ts';
import type { Device } from './device.ts';
import type { Wire } from './wire.ts';
import { PEOPLE_ACTIONS } from './people-actions.ts';
import { POISON } from './watch.ts';
import { type Kind, objectsOf, USERS, type World } from './world.ts';

type Action = (world: World) => unknown;

/** What people, programs and fate may do at any moment. The number is how often, among all. */
const ACTIONS: readonly (readonly [number, Action])[] = [
  [20, (world) => write(world, null)],
  [6, (world) => write(world, anyMessage(world))],
  [5, (world) => change(world, (device, messageId) => device.session?.edit(messageId, `edited ${integer(world.random, 1_000)}`))],
  [3, (world) => change(world, (device, messageId) => device.session?.remove(messageId))],
  [6, (world) => change(world, (device, messageId) => device.session?.react(messageId, pick(world.random, ['👍', '🎉'])))],
  [4, (world) => change(world, (device, messageId) => device.session?.unreact(messageId, pick(world.random, ['👍', '🎉'])))],
  [4, (world) => change(world, (device, messageId) => device.session?.pin(messageId))],
  [3, (world) => change(world, (device, messageId) => device.session?.unpin(messageId))],
  [4, preview],
  [1, (world) => change(world, (device, messageId) => device.session?.removePreviews(messageId))],
  [6, ({ program }) => void program.send()],
  [3, ({ program, random }) => void program.sendEach(1 + integer(random, 12))],
  [2, ({ program, random }) => void program.sendBatch(1 + integer(random, 5))],
  [8, read],
  [3, (world) => someone(world).session?.wake()],
  [3, (world) => someone(world).start()],
  [2, (world) => someone(world).stop()],
  [2, (world) => someone(world).retryFailed()],
  [5, ({ room, random }) => pick(random, room.objects).crash()],
  [5, ({ room, random }) => pick(random, room.objects).evict()],
  [5, cut],
  [4, (world) => someWire(world)?.stall(integer(world.random, 60_000))],
  [2, ({ reach }) => (reach.away = !reach.away)],
  [3, ({ reach, random }) => (reach.lost = reach.lost > 0 ? 0 : random() / 2)],
  [2, ({ reach, random }) => (reach.latency = pick(random, [1, 20, 20, 1_000, 8_000]))],
  [2, skew],
  [5, member],
  [3, (world) => void world.directory.revoke(someone(world).credential)],
  [2, ({ room }) => room.wipe()],
  [2, ({ room }) => room.trim()],
  [2, poison],
  [1, (world) => world.kind === 'conversation' && restore(world)],
  [2, (world) => world.kind === 'conversation' && loseBoth(world)],
];
const ACTIONS_OF: Record<Kind, readonly (readonly [number, Action])[]> = { conversation: ACTIONS, people: [...ACTIONS, ...PEOPLE_ACTIONS] };

/** Milliseconds between two actions: mostly at once, now and then long enough for everything to come to rest. */
const PAUSES = [0, 0, 1, 3, 10, 10, 30, 100, 300, 1_500, 5_000, 20_000];

export const pause = (random: () => number): number => integer(random, 1 + pick(random, PAUSES));

export function act(world: World): void {
  const actions = ACTIONS_OF[world.kind];
  let left = integer(world.random, actions.reduce((sum, [weight]) => sum + weight, 0));
  for (const [weight, action] of actions) {
    left -= weight;
    if (left < 0) return void action(world);
  }
}

const someone = ({ random, devices }: World): Device => pick(random, devices);

function anyMessage({ random, watch }: World): string | null {
  const created = watch.channel.events.filter((event) => event.type === 'message.created' && event.thread_id === null);
  const event = created.length === 0 ? null : pick(random, created.slice(-8));
  return event?.type === 'message.created' ? event.message_id : null;
}

function write(world: World, threadId: string | null): void {
  const device = someone(world);
  device.send(`${device.name} says ${device.written.length}`, threadId);
}

function change(world: World, what: (device: Device, messageId: string) => Promise<unknown> | undefined): void {
  const messageId = anyMessage(world);
  // It may be refused, or the device may end first: only sends must come through.
  if (messageId !== null) what(someone(world), messageId)?.catch(() => {});
}

/** What the fleet found at a link, told to the room whenever it is reached; perhaps of a revision that is not the message's any more. */
function preview(world: World): void {
  const { room, random, watch } = world;
  const messageId = anyMessage(world);
  if (messageId === null) return;
  const edits = watch.channel.events.filter((event) => event.type === 'message.edited' && event.message_id === messageId).length;
  const found = { url: 'https://page.example/', title: `page ${integer(random, 3)}`, description: null, site_name: null };
  // A call that is lost is made again some day, or not: nobody waits for a preview.
  room.call(async (core) => core.orders.announcePreviews([{ message_id: messageId, revision: edits + 1, previews: [found] }])).catch(() => {});
}

function read(world: World): void {
  const { random } = world;
  const { session } = someone(world);
  const root = random() < 0.3 ? anyMessage(world) : null;
  const how = pick(random, ['latest', 'older', 'newer', 'around'] as const);
  const loading = how === 'latest' ? session?.loadLatest(root) : how === 'around' ? session?.loadAround(anyMessage(world) ?? 1) : session?.loadMore(how, root);
  loading?.catch(() => {});
}

function someWire(world: World): Wire | null {
  const wires = objectsOf(world).flatMap((object) => object.wires);
  return wires.length === 0 ? null : pick(world.random, wires);
}

function cut(world: World): void {
  someWire(world)?.cut({ client: world.random() < 0.6, server: world.random() < 0.6 });
}

function member({ stored, directory, random }: World): void {
  const userId = pick(random, USERS);
  void directory.setMember(userId, stored.isMember(userId) ? null : 'member');
}

/** A clock jumps; not where it is measured how long something lasts. */
function skew({ kind, room, random }: World): void {
  if (kind === 'conversation') pick(random, room.objects).skew = integer(random, 20_000) - 10_000;
}

/** Something that Postgres will never take. No reply: how many a message has would differ for whoever saw it. */
function poison(world: World): void {
  const device = someone(world);
  device.send(`${POISON} of ${device.name} ${device.written.length}`, null);
}

/** A backup of Postgres is put back that lacks at most what the room still holds. */
function restore({ stored, room, random, trace }: World): void {
  const { firstSeq } = room;
  const { drained_seq } = stored.place;
  if (firstSeq === null || drained_seq < firstSeq) return;
  const seq = firstSeq - 1 + integer(random, drained_seq - firstSeq + 1);
  trace.note(() => `Postgres is restored to event ${seq} of ${drained_seq}`);
  stored.restore(seq);
}

/** A backup of Postgres is put back, and the room's own storage is lost with it: what came after the backup is lost for good. */
function loseBoth({ stored, room, random, trace }: World): void {
  if (!room.isAsleep) return;
  const { drained_seq } = stored.place;
  const seq = integer(random, drained_seq + 1);
  trace.note(() => `both stores are lost, down to event ${seq} of ${drained_seq}`);
  stored.restore(seq);
  // What was on its way to the lost Postgres does not arrive at this one.
  stored.claim();
  room.loseAll();
}
