import { seededRandom } from '../../client/testing/random.ts';
import { SOCKET_LIMITS, type SocketLimits } from '../../durable-objects/sockets/socket-limits.ts';
import { id } from '../support/room-core.ts';
import { Device } from './device.ts';
import { Directory, Tickets } from './directory.ts';
import { InboxDevice } from './inbox-device.ts';
import { InboxObject } from './inbox-object.ts';
import { Notifier } from './notifier.ts';
import { Program } from './program.ts';
import type { Reach } from './record.ts';
import { RoomObject } from './room-object.ts';
import { Schedule } from './schedule.ts';
import type { ObjectPorts, Planted, SimulatedObject } from './simulated-object.ts';
import { StoredChannel } from './stored-channel.ts';
import { StoredInbox } from './stored-inbox.ts';
import { Trace } from './trace.ts';
import { Watch } from './watch.ts';

const CHANNEL = id(1, 1);
/** Users that come and go; the program's user stays. */
export const USERS = [id(2, 1), id(2, 2), id(2, 3)];
export const HANDLES = ['ann', 'bob', 'eve', 'bot'];
const PROGRAM = id(2, 9);
/** With these, one device is the room's own, and two are on each node. */
const FEW: SocketLimits = { ...SOCKET_LIMITS, room: 1, node: 2 };
/** One seed in so many is of people who listen to their inboxes, read, type and look who is present. */
export const PEOPLE_EVERY = 5;

/** What a history is about: the conversation of a room, or people with their inboxes. */
export type Kind = 'conversation' | 'people';
export const kindOf = (seed: number): Kind => (seed % PEOPLE_EVERY === 0 ? 'people' : 'conversation');

export interface World {
  readonly kind: Kind;
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
  /** None where the history is of a conversation alone. */
  readonly inboxes: readonly InboxObject[];
  readonly inboxDevices: readonly InboxDevice[];
  readonly notifier: Notifier;
}

/** Everything on which the platform may lay a hand. */
export const objectsOf = ({ room, inboxes }: World): Pick<SimulatedObject<never>, 'name' | 'crash' | 'evict' | 'sleeps' | 'wires'>[] => [...room.objects, ...inboxes];

/** A channel of four users, with devices among three of them and a program for the fourth. Everything random in it comes from the seed. */
export function createWorld(seed: number, planted: Planted, print: ((line: string) => void) | null): World {
  const [random, schedule, watch, stored] = [seededRandom(seed), new Schedule(), new Watch(), new StoredChannel(CHANNEL)];
  const kind = kindOf(seed);
  const trace = new Trace(schedule, print);
  for (const userId of [...USERS, PROGRAM]) stored.setMember(userId, 'member');
  const reach: Reach = { away: false, lost: 0, latency: 20 };
  const shared: ObjectPorts = { schedule, random, stored, reach, watch, trace, tickets: new Tickets(), planted, limits: seed % 2 === 0 ? SOCKET_LIMITS : FEW };
  const room = new RoomObject(shared, (userId) => inboxes.find((inbox) => inbox.stored.userId === userId) ?? null);
  const inboxes = kind === 'people' ? [...USERS, PROGRAM].map((userId, index) => new InboxObject(new StoredInbox(userId, HANDLES[index] ?? '', stored), shared, (work) => room.call(work))) : [];
  const directory = new Directory({ ...shared, room, inboxes });
  const devices = (kind === 'people' ? [0, 1, 2] : [0, 0, 1, 1, 2]).map((user, index) => new Device(`device-${index}`, USERS[user] ?? PROGRAM, { ...shared, room, directory }));
  const inboxDevices = [...inboxes.slice(0, USERS.length), ...inboxes.slice(0, 1)].map((inbox, index) => new InboxDevice(`inbox-device-${index}`, inbox, { ...shared, directory }));
  const actor = { user_id: PROGRAM, credential_id: id(3, 999), expires_at: schedule.now() + 1e9 };
  const program = new Program(actor, { ...shared, room });
  return { kind, random, schedule, trace, stored, reach, watch, room, directory, devices, program, inboxes, inboxDevices, notifier: new Notifier({ ...shared, inboxes, changes: directory.changes }) };
}
