import type { ChannelEvent } from '../../protocol/events.ts';
import type { Message } from '../../protocol/api.ts';
import { windowOf } from '../../client/channel-window.ts';
import type { Device } from './device.ts';
import { messageOf, order } from './pages.ts';
import { judgePeople } from './people-verdict.ts';
import { isPoison, keyOf, type Watch } from './watch.ts';
import type { World } from './world.ts';

/** What must hold when every fault has passed and everything has come to rest. */
export function judge(world: World): void {
  const { watch, stored } = world;
  if (stored.place.drained_seq !== watch.channel.head) watch.violate('G6', `Postgres has ${stored.place.drained_seq} of ${watch.channel.head} events at the end`);
  judgeAcknowledged(world);
  judgeOnce(world);
  judgePoison(world);
  for (const device of world.devices) judgeDevice(world, device);
  if (world.kind === 'people') judgePeople(world);
}

const created = (events: readonly ChannelEvent[]) => events.filter((event) => event.type === 'message.created');
/** A room that starts over from Postgres knows nothing of what Postgres could not take: whoever says that again says it anew. */
const storable = (events: readonly ChannelEvent[]) => created(events).filter((event) => !isPoison(event));

const poisonedKeys = ({ channel }: Watch): Set<string> => new Set(created(channel.events).filter(isPoison).map((event) => keyOf(event.actor_id, event.client_msg_id)));

function judgeAcknowledged({ watch }: World): void {
  const byKey = new Map(storable(watch.channel.events).map((event) => [keyOf(event.actor_id, event.client_msg_id), event]));
  const poisoned = poisonedKeys(watch);
  for (const { author_id, client_msg_id, message_id, seq } of watch.acknowledged) {
    const event = byKey.get(keyOf(author_id, client_msg_id));
    if (watch.lost.has(keyOf(author_id, client_msg_id)) || poisoned.has(keyOf(author_id, client_msg_id))) continue;
    if (event === undefined) watch.violate('G1', `${client_msg_id} was acknowledged and is lost`);
    else if (event.message_id !== message_id || (seq !== null && event.seq !== seq)) watch.violate('G2', `${client_msg_id} was acknowledged as ${seq} and is ${event.seq}`);
  }
}

function judgeOnce({ watch, devices }: World): void {
  const keys = storable(watch.channel.events).map((event) => keyOf(event.actor_id, event.client_msg_id));
  if (new Set(keys).size < keys.length) watch.violate('G2', `a message is in the log twice: ${keys.filter((key, index) => keys.indexOf(key) < index).join(', ')}`);
  const poisoned = poisonedKeys(watch);
  const places = new Map(keys.map((key, index) => [key, index]));
  for (const device of devices) {
    const found = device.written.filter((clientMsgId) => !device.failed.has(clientMsgId) && !watch.lost.has(keyOf(device.userId, clientMsgId)) && !poisoned.has(keyOf(device.userId, clientMsgId))).map((clientMsgId) => places.get(keyOf(device.userId, clientMsgId)) ?? -1);
    if (found.includes(-1)) watch.violate('G1', `${device.name} wrote ${found.length} messages, and ${found.filter((place) => place < 0).length} are in no log`);
    if (found.some((place, index) => index > 0 && place < (found[index - 1] ?? 0))) watch.violate('G3', `${device.name} wrote in another order`);
  }
}

/** What Postgres could not take is set aside, that and nothing else; history goes on without it. */
function judgePoison({ watch, stored }: World): void {
  const refused = watch.channel.events.filter(isPoison).map(({ seq }) => seq);
  const missing = watch.channel.events.filter(({ seq }) => !stored.events.some((event) => event.seq === seq) && !stored.holes.has(seq)).map(({ seq }) => seq);
  if (JSON.stringify(missing) !== JSON.stringify(refused.filter((seq) => !stored.holes.has(seq)))) watch.violate('G6', `Postgres lacks ${missing.join(', ')}, and cannot take ${refused.join(', ')}`);
}

/** Old state and events are fresh state: what the device holds is what reading it now gives. */
function judgeDevice({ watch, stored }: World, device: Device): void {
  const state = device.session?.state;
  if (state === undefined) return watch.violate('G4', `${device.name} has no session`);
  if (state.seq !== watch.channel.head) watch.violate('G4', `${device.name} is at ${state.seq} of ${watch.channel.head}`);
  // Whoever was there knows of a last message that Postgres could not take.
  const known = Math.max(0, ...created(watch.channel.events).map(({ pos }) => pos ?? 0));
  if (state.lastPos < stored.drainedPos || state.lastPos > known) watch.violate('G4', `${device.name} knows of ${state.lastPos} messages of ${stored.drainedPos} to ${known}`);
  if (device.outbox.length > 0) watch.violate('G1', `${device.name} holds ${device.outbox.map(({ client_msg_id, state: at, reason }) => `${client_msg_id} ${at} ${reason}`).join(', ')}`);
  for (const rootId of [null, ...state.threads.keys()]) {
    const window = windowOf(state, rootId);
    if (window === null) continue;
    const all = [...stored.messages.values()].filter(({ thread_id }) => thread_id === rootId);
    // Who was there saw what Postgres could not take; history is without it.
    const ids = window.ids.filter((id) => stored.messages.has(id));
    const start = all.findIndex(({ id }) => id === ids[0]);
    const expected = ids.length === 0 ? [] : all.slice(start, window.after === null ? undefined : start + ids.length);
    const held = ids.map((id) => state.messages.get(id)?.message);
    if (!same(held, expected.map((one) => messageOf(stored, one)))) watch.violate('G4', `${device.name} holds another ${rootId === null ? 'history' : 'thread'} than is stored, from ${order(all[start] ?? { pos: 0, tpos: 0 })}`);
  }
}

const same = (held: readonly (Message | undefined)[], stored: readonly Message[]): boolean =>
  JSON.stringify(held.map(comparable)) === JSON.stringify(stored.map(comparable));

/** Which reaction came first is no part of a state. */
function comparable(message: Message | undefined): unknown {
  if (message === undefined) return null;
  const reactions = message.reactions.flatMap(({ emoji, user_ids }) => user_ids.map((user) => `${emoji} ${user}`)).toSorted();
  const { id, text, pos, tpos, revision, edited_at, deleted_at, reply_count, pinned, previews } = message;
  return { id, text, pos, tpos, revision, edited_at, deleted_at, reply_count, reactions, pinned, previews };
}
