import { seededRandom } from '../../client/testing/random.ts';
import { SOCKET_LIMITS, type SocketLimits } from '../../durable-objects/sockets/socket-limits.ts';
import { id } from '../support/room-core.ts';
import { Device } from './device.ts';
import { Directory, Tickets } from './directory.ts';
import { Program } from './program.ts';
import type { Reach } from './record.ts';
import { RoomObject } from './room-object.ts';
import { Schedule } from './schedule.ts';
import type { Planted } from './simulated-object.ts';
import { StoredChannel } from './stored-channel.ts';
import { Trace } from './trace.ts';
import { Watch } from './watch.ts';

const CHANNEL = id(1, 1);
/** Users that come and go; the program's user stays. */
export const USERS = [id(2, 1), id(2, 2), id(2, 3)];
const PROGRAM = id(2, 9);
/** With these, one device is the room's own, and two are on each node. */
const FEW: SocketLimits = { ...SOCKET_LIMITS, room: 1, node: 2 };

export interface World {
  readonly random: () => number;
  readonly schedule: Schedule;
  readonly trace: Trace;
  readonly stored: StoredChannel;
  readonly reach: Reach;
  readonly watch: Watch;
  readonly room: RoomObject;
  readonly directory: Directory;
  readonly devices: readonly Device[];
  readonly program: Program;
}

/** A channel of four users, with five devices among three of them and a program for the fourth. Everything random in it comes from the seed. */
export function createWorld(seed: number, planted: Planted, print: ((line: string) => void) | null): World {
  const random = seededRandom(seed);
  const schedule = new Schedule();
  const trace = new Trace(schedule, print);
  const watch = new Watch();
  const stored = new StoredChannel(CHANNEL);
  for (const userId of [...USERS, PROGRAM]) stored.setMember(userId, 'member');
  const reach: Reach = { away: false, lost: 0, latency: 20 };
  const shared = { schedule, random, stored, reach, watch, trace, tickets: new Tickets() };
  const room = new RoomObject({ ...shared, planted, limits: seed % 2 === 0 ? SOCKET_LIMITS : FEW });
  const directory = new Directory({ ...shared, room });
  const devices = [0, 0, 1, 1, 2].map((user, index) => new Device(`device-${index}`, USERS[user] ?? PROGRAM, { ...shared, room, directory }));
  const actor = { user_id: PROGRAM, credential_id: id(3, 999), expires_at: schedule.now() + 1e9 };
  return { random, schedule, trace, stored, reach, watch, room, directory, devices, program: new Program(actor, { ...shared, room }) };
}
