import { integer, pick } from '../../client/testing/random.ts';
import type { InboxDevice } from './inbox-device.ts';
import { HANDLES, type World } from './world.ts';

type Action = (world: World) => void;

/** What people do who listen to their inboxes, read, type and look. The number is how often, among all of an action list. */
export const PEOPLE_ACTIONS: readonly (readonly [number, Action])[] = [
  [14, mention],
  [14, (world) => listener(world).readTo(1 + integer(world.random, Math.max(1, world.stored.drainedPos)))],
  // What Postgres does not have yet, and what nobody has written.
  [6, (world) => listener(world).readTo(world.stored.drainedPos + 1 + integer(world.random, 8))],
  [5, (world) => listener(world).markUnread(1 + integer(world.random, Math.max(1, world.stored.drainedPos)))],
  [10, (world) => pick(world.random, world.devices).session?.typed()],
  [6, (world) => pick(world.random, world.devices).look(world.random() < 0.7)],
  [6, (world) => listener(world).setActive(world.random() < 0.5)],
  [2, (world) => listener(world).view(world.random() < 0.6)],
  [6, (world) => listener(world).start()],
  [4, (world) => listener(world).stop()],
  [4, ({ inboxes, random }) => pick(random, inboxes).crash()],
  [4, ({ inboxes, random }) => pick(random, inboxes).evict()],
  [2, ({ inboxes, random }) => pick(random, inboxes).wipe()],
];

const listener = ({ random, inboxDevices }: World): InboxDevice => pick(random, inboxDevices);

function mention({ random, devices }: World): void {
  const device = pick(random, devices);
  device.send(`for @${pick(random, HANDLES)}, says ${device.name} ${device.written.length}`, null);
}
