import type { ChannelEvent } from '../../protocol/events.ts';
import type { Message } from '../../protocol/api.ts';
import { windowOf } from '../../client/channel-state.ts';
import type { Device } from './device.ts';
import { messageOf, order } from './pages.ts';
import type { World } from './world.ts';

/** What must hold when every fault has passed and everything has come to rest. */
export function judge(world: World): void {
  const { watch, stored } = world;
  if (stored.events.length !== watch.head) watch.violate('G6', `Postgres has ${stored.events.length} of ${watch.head} events at the end`);
  judgeAcknowledged(world);
  judgeOnce(world);
  for (const device of world.devices) judgeDevice(world, device);
}

const keyOf = (authorId: string, clientMsgId: string): string => `${authorId} ${clientMsgId}`;

const created = (events: readonly ChannelEvent[]) => events.filter((event) => event.type === 'message.created');

function judgeAcknowledged({ watch }: World): void {
  const byKey = new Map(created(watch.events).map((event) => [keyOf(event.actor_id, event.client_msg_id), event]));
  for (const { author_id, client_msg_id, message_id, seq } of watch.acknowledged) {
    const event = byKey.get(keyOf(author_id, client_msg_id));
    if (event === undefined) watch.violate('G1', `${client_msg_id} was acknowledged and is lost`);
    else if (event.message_id !== message_id || (seq !== null && event.seq !== seq)) watch.violate('G2', `${client_msg_id} was acknowledged as ${seq} and is ${event.seq}`);
  }
}

function judgeOnce({ watch, devices }: World): void {
  const keys = created(watch.events).map((event) => keyOf(event.actor_id, event.client_msg_id));
  if (new Set(keys).size < keys.length) watch.violate('G2', `a message is in the log twice: ${keys.filter((key, index) => keys.indexOf(key) < index).join(', ')}`);
  const places = new Map(keys.map((key, index) => [key, index]));
  for (const device of devices) {
    const found = device.written.filter((clientMsgId) => !device.failed.has(clientMsgId)).map((clientMsgId) => places.get(keyOf(device.userId, clientMsgId)) ?? -1);
    if (found.includes(-1)) watch.violate('G1', `${device.name} wrote ${found.length} messages, and ${found.filter((place) => place < 0).length} are in no log`);
    if (found.some((place, index) => index > 0 && place < (found[index - 1] ?? 0))) watch.violate('G3', `${device.name} wrote in another order`);
  }
}

/** Old state and events are fresh state: what the device holds is what reading it now gives. */
function judgeDevice({ watch, stored }: World, device: Device): void {
  const state = device.session?.state;
  if (state === undefined) return watch.violate('G4', `${device.name} has no session`);
  if (state.seq !== watch.head) watch.violate('G4', `${device.name} is at ${state.seq} of ${watch.head}`);
  if (state.lastPos !== stored.place.drained_pos) watch.violate('G4', `${device.name} knows of ${state.lastPos} messages of ${stored.place.drained_pos}`);
  if (device.outbox.length > 0) watch.violate('G1', `${device.name} holds ${device.outbox.map(({ client_msg_id, state: at, reason }) => `${client_msg_id} ${at} ${reason}`).join(', ')}`);
  for (const rootId of [null, ...state.threads.keys()]) {
    const window = windowOf(state, rootId);
    if (window === null) continue;
    const all = [...stored.messages.values()].filter(({ thread_id }) => thread_id === rootId);
    const start = all.findIndex(({ id }) => id === window.ids[0]);
    const expected = window.ids.length === 0 ? [] : all.slice(start, window.after === null ? undefined : start + window.ids.length);
    const held = window.ids.map((id) => state.messages.get(id)?.message);
    if (!same(held, expected.map((one) => messageOf(stored, one)))) watch.violate('G4', `${device.name} holds another ${rootId === null ? 'history' : 'thread'} than is stored, from ${order(all[start] ?? { pos: 0, tpos: 0 })}`);
  }
}

const same = (held: readonly (Message | undefined)[], stored: readonly Message[]): boolean =>
  JSON.stringify(held.map(comparable)) === JSON.stringify(stored.map(comparable));

/** Which reaction came first is no part of a state. */
function comparable(message: Message | undefined): unknown {
  if (message === undefined) return null;
  const reactions = message.reactions.flatMap(({ emoji, user_ids }) => user_ids.map((user) => `${emoji} ${user}`)).toSorted();
  const { id, text, pos, tpos, revision, edited_at, deleted_at, reply_count } = message;
  return { id, text, pos, tpos, revision, edited_at, deleted_at, reply_count, reactions };
}
