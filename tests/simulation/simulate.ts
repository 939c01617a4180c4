import { integer } from '../../client/testing/random.ts';
import { act, pause } from './actions.ts';
import type { Planted } from './simulated-object.ts';
import type { Violation } from './trace.ts';
import { judge } from './verdict.ts';
import { createWorld, USERS, type World } from './world.ts';

const LEAST_ACTIONS = 20;
const MORE_ACTIONS = 40;
/** How long the world may take to come to rest once nothing fails any more, in milliseconds. */
const REST_MS = 400_000;

export interface Options {
  readonly planted?: Planted;
  /** Told what happens, line by line. */
  readonly print?: (line: string) => void;
}

/** Runs the world of one seed; returns what did not hold, the first first. */
export async function simulate(seed: number, { planted = {}, print }: Options = {}): Promise<readonly Violation[]> {
  const world = createWorld(seed, planted, print ?? null);
  for (const device of world.devices) device.start();
  const actions = LEAST_ACTIONS + integer(world.random, MORE_ACTIONS);
  for (let count = 0; count < actions && world.watch.violations.length === 0; count += 1) {
    act(world);
    await world.schedule.advance(pause(world.random));
  }
  if (world.watch.violations.length > 0) return world.watch.violations;
  const rests = await heal(world);
  judge(world);
  if (!rests) world.watch.violate('G8', 'the world does not come to rest');
  return world.watch.violations;
}

/** Every fault passes, everyone is let in again, and a last message is sent. False: the world does not come to rest. */
async function heal(world: World): Promise<boolean> {
  const { reach, stored, directory, devices, schedule, program, trace } = world;
  trace.note(() => 'everything heals');
  Object.assign(reach, { away: false, lost: 0, latency: 20 });
  for (const userId of USERS) if (!stored.isMember(userId)) void directory.setMember(userId, 'member');
  while (directory.telling > 0) await schedule.advance(1_000);
  for (const device of devices) {
    if (device.session === null || device.session.state.epoch === 0) device.start();
    else device.session.wake();
  }
  void program.send();
  for (let waited = 0; waited < REST_MS && !isAtRest(world); waited += 10_000) {
    await schedule.advance(10_000);
    for (const device of devices) {
      device.session?.wake();
      device.retryFailed();
    }
  }
  const rests = isAtRest(world);
  await schedule.advance(10_000);
  return rests;
}

function isAtRest({ devices, watch, stored, room, program, directory }: World): boolean {
  const told = directory.telling === 0 && program.waiting === 0 && stored.events.length === watch.head && room.objects.every(({ sleeps }) => sleeps);
  return told && devices.every(({ outbox, session }) => outbox.length === 0 && session?.state.seq === watch.head);
}
