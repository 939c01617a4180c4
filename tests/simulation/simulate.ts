import { integer, pick } from '../../client/testing/random.ts';
import { SWEEP_MS } from '../../durable-objects/sockets/socket-limits.ts';
import { act, pause } from './actions.ts';
import type { Planted } from './simulated-object.ts';
import type { Violation } from './trace.ts';
import { GONE_MS, seesTyping, showsCounts, wronglySeen } from './people-verdict.ts';
import { judge } from './verdict.ts';
import { createWorld, objectsOf, USERS, type World } from './world.ts';

const LEAST_ACTIONS = 20;
const MORE_ACTIONS = 40;
/** How long the world may take to come to rest once nothing fails any more, in milliseconds. */
const REST_MS = 400_000;

/** Longest until whoever could not be reached is asked again, a change that had to wait is told, and an object sleeps that an alarm has woken, in milliseconds. */
const SETTLE_MS = SWEEP_MS + 30_000;

export interface Options {
  readonly planted?: Planted;
  /** Told what happens, line by line. */
  readonly print?: (line: string) => void;
}

/** Runs the world of one seed; returns what did not hold, the first first. */
export async function simulate(seed: number, { planted = {}, print }: Options = {}): Promise<readonly Violation[]> {
  const world = createWorld(seed, planted, print ?? null);
  for (const device of [...world.devices, ...world.inboxDevices]) device.start();
  if (world.kind === 'people') void world.notifier.run();
  const actions = LEAST_ACTIONS + integer(world.random, MORE_ACTIONS);
  for (let count = 0; count < actions && world.watch.violations.length === 0; count += 1) {
    act(world);
    await world.schedule.advance(pause(world.random));
  }
  if (world.watch.violations.length > 0) return world.watch.violations;
  const rests = await heal(world);
  judge(world);
  if (!rests) world.watch.violate('G8', 'the world does not come to rest');
  if (world.kind === 'people' && world.watch.violations.length === 0) await leave(world);
  return world.watch.violations;
}

/** Every fault passes, everyone is let in again, and a last message is sent. False: the world does not come to rest. */
async function heal(world: World): Promise<boolean> {
  const { reach, stored, directory, devices, inboxDevices, schedule, program, trace } = world;
  trace.note(() => 'everything heals');
  Object.assign(reach, { away: false, lost: 0, latency: 20 });
  for (const userId of USERS) if (!stored.isMember(userId)) void directory.setMember(userId, 'member');
  while (directory.telling > 0) await schedule.advance(1_000);
  for (const device of devices) {
    if (device.session === null || device.session.state.epoch === 0) device.start();
    else device.session.wake();
  }
  for (const device of inboxDevices) {
    if (device.session === null) device.start();
    else device.session.wake();
  }
  void program.send();
  for (let waited = 0; waited < REST_MS && !isAtRest(world); waited += 10_000) {
    await schedule.advance(10_000);
    for (const device of [...devices, ...inboxDevices]) device.session?.wake();
    for (const device of devices) device.retryFailed();
  }
  const rests = isAtRest(world);
  await schedule.advance(10_000);
  return rests;
}

/** One user's devices vanish without a word: when their lease has ended, all who look see it, and the objects sleep. */
async function leave(world: World): Promise<void> {
  const { random, inboxes, inboxDevices, trace } = world;
  await expectSeen(world);
  const inbox = pick(random, inboxes);
  trace.note(() => `the devices of ${inbox.stored.handle} vanish`);
  for (const wire of inbox.wires) wire.cut({ client: false, server: false });
  for (const device of inboxDevices) if (device.inbox === inbox) device.stop();
  await expectSeen(world);
}

/** Once all leases of before have ended: a last change may have to wait for its turn, and an alarm has just rung. */
async function expectSeen(world: World): Promise<void> {
  const { schedule, watch } = world;
  await schedule.advance(GONE_MS);
  const isQuiet = (): boolean => wronglySeen(world).length === 0 && objectsOf(world).every(({ sleeps }) => sleeps);
  for (let waited = 0; waited < SETTLE_MS && !isQuiet(); waited += 1_000) await schedule.advance(1_000);
  for (const wrong of [...wronglySeen(world), ...seesTyping(world)]) watch.violate('G4', wrong);
  const awake = objectsOf(world).filter(({ sleeps }) => !sleeps);
  if (awake.length > 0) watch.violate('G8', `${awake.map(({ name }) => name).join(', ')} stays awake`);
}

function isAtRest(world: World): boolean {
  const { devices, inboxDevices, watch, stored, program, directory, inboxes, notifier } = world;
  const { head } = watch.channel;
  const told = directory.telling === 0 && program.waiting === 0 && stored.place.drained_seq === head && objectsOf(world).every(({ sleeps }) => sleeps);
  const drained = inboxes.every((inbox) => inbox.stored.place.drained_seq === watch.inbox(inbox.stored.userId).head);
  const listen = inboxDevices.every((device) => device.hasTold && device.session?.cursor?.seq === watch.inbox(device.inbox.stored.userId).head && showsCounts(device));
  return told && drained && listen && (inboxes.length === 0 || notifier.isDone) && devices.every(({ outbox, session }) => outbox.length === 0 && session?.state.seq === head);
}
