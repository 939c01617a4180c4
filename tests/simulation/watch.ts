import type { ChannelEvent } from '../../protocol/events.ts';
import type { CommandResult, InboxServerFrame, ServerFrame } from '../../protocol/frames.ts';
import type { InboxEvent } from '../../protocol/inbox-events.ts';
import { isLaterPlace } from '../../protocol/read-places.ts';
import { PRESENCE_EVERY_SECONDS, TYPING_SECONDS } from '../../protocol/limits.ts';
import type { Actor } from '../../durable-objects/sockets/actor-api.ts';
import { Violation } from './trace.ts';
import { Truth } from './truth.ts';
import type { Said } from './wire.ts';

/** A send that was answered with yes. */
export interface Acknowledged extends Pick<CommandResult, 'message_id' | 'seq'> {
  readonly author_id: string;
  readonly client_msg_id: string;
}

/** What one socket has been told so far. */
export interface Told {
  actor: Actor;
  epoch: number;
  /** Everything up to here; null before the welcome. */
  seq: number | null;
}

/** A list of who types is told at most every second, and leaves when what was written before is durable. */
const TYPING_SLACK_MS = 2_000;

type Frame = ServerFrame | InboxServerFrame;

/** Sees all that becomes durable and all that leaves rooms and inboxes, and says at once where a guarantee does not hold. */
export class Watch {
  readonly violations: Violation[] = [];
  readonly channel = new Truth<ChannelEvent>();
  readonly acknowledged: Acknowledged[] = [];
  /** Sends whose event both stores have lost, by author and `client_msg_id`: nobody promised them more. */
  readonly lost = new Set<string>();
  /** Users whose removal has been answered, and credentials whose revocation has. */
  readonly removed = new Set<string>();
  readonly revoked = new Set<string>();
  /** Users who were no members for a while, and those who have ever had the channel before their eyes. */
  readonly everRemoved = new Set<string>();
  readonly viewers = new Set<string>();
  /** When each user last said that they type. */
  readonly typed = new Map<string, number>();
  readonly #inboxes = new Map<string, Truth<InboxEvent>>();

  inbox(userId: string): Truth<InboxEvent> {
    const known = this.#inboxes.get(userId) ?? new Truth<InboxEvent>();
    this.#inboxes.set(userId, known);
    return known;
  }

  violate(guarantee: string, detail: string): void {
    this.violations.push(new Violation(guarantee, detail));
  }

  becameDurable(truth: Truth, seq: number, json: string): void {
    if (!truth.becameDurable(seq, json)) this.violate('G3', `event ${seq} became another one, or came before ${truth.head + 1}`);
  }

  /** Postgres has committed these. */
  drained<E extends { readonly seq: number }>(truth: Truth<E>, events: readonly E[], epoch: number): void {
    for (const event of events) {
      if (!truth.holds(event, epoch)) this.violate('G6', `Postgres has event ${event.seq}, which is not durable in the log, or is another one there`);
    }
  }

  /** Both stores of the channel have lost what came after `seq`, in this epoch or before. */
  loses(seq: number, epoch: number): void {
    for (const event of this.channel.lose(seq, epoch)) if (event.type === 'message.created') this.lost.add(keyOf(event.actor_id, event.client_msg_id));
  }

  /** An answer leaves the room. */
  acknowledges(actor: Actor, clientMsgId: string, { message_id, seq }: CommandResult): void {
    if (this.removed.has(actor.user_id) || this.revoked.has(actor.credential_id)) this.violate('G5', `a command of ${actor.user_id} was taken after their access had ended`);
    if (seq !== null && seq > this.channel.head && this.lost.size === 0) this.violate('G1', `event ${seq} was acknowledged before it was durable`);
    this.acknowledged.push({ author_id: actor.user_id, client_msg_id: clientMsgId, message_id, seq });
  }

  /** A frame leaves a room or a node for a socket. */
  tellsMember(told: Told, frame: Frame, said: Said): void {
    if (frame.type === 'events' && this.removed.has(told.actor.user_id)) this.violate('G5', `${told.actor.user_id} was told events after their removal was answered`);
    if (frame.type === 'presence' && !said.isLooking) this.violate('G5', `${told.actor.user_id} was told who is present, and does not look`);
    this.#tells(this.channel, told, frame, said);
  }

  /** Whoever is named types: they have said so a moment ago. */
  tellsTyping({ actor }: Told, frame: Frame, { at }: Said): void {
    if (frame.type !== 'typing') return;
    for (const { user_id } of frame.users) {
      const ago = at - (this.typed.get(user_id) ?? Number.NEGATIVE_INFINITY);
      if (ago > TYPING_SECONDS * 1_000 + TYPING_SLACK_MS) this.violate('G8', `${actor.user_id} was told that ${user_id} types, ${ago} ms after they did`);
      if (user_id === actor.user_id) this.violate('G5', `${user_id} was told of their own typing`);
    }
  }

  /** A frame leaves the inbox of this user. */
  tellsUser(userId: string, told: Told, frame: Frame, said: Said): void {
    if (told.actor.user_id !== userId) this.violate('G5', `${told.actor.user_id} was told of the inbox of ${userId}`);
    this.#tells(this.inbox(userId), told, frame, said);
  }

  /** The inbox of this user has a new event: it says nothing again, and nothing of where the user is no member any more. */
  logged(userId: string, event: InboxEvent): void {
    const before = this.inbox(userId).events;
    if (before.some(({ id, type }) => id === event.id && type === event.type)) this.violate('G2', `${userId} was told of ${event.type} ${event.id} twice`);
    const moved = before.findLast((other) => other.type === 'read.moved');
    const placeOf = ({ generation = 0, read_pos: pos }: { generation?: number | undefined; read_pos: number }) => ({ generation, pos });
    if (event.type === 'read.moved' && moved && !isLaterPlace(placeOf(event), placeOf(moved))) this.violate('G3', `the marker of ${userId} went from ${JSON.stringify(moved)} to ${JSON.stringify(event)}`);
    const end = this.channel.events.filter((other) => other.type === 'message.created' && other.pos !== null).length;
    if (event.type === 'read.moved' && event.read_pos > end && this.lost.size === 0) this.violate('G7', `${userId} has read up to ${event.read_pos} of ${end}`);
    if (event.type !== 'message.notified') return;
    const marker = moved?.read_pos ?? 0;
    if (event.pos !== null && event.pos <= marker) this.violate('G7', `${userId} was notified of position ${event.pos}, and has read up to ${marker}`);
    if (this.removed.has(userId)) this.violate('G5', `${userId} was notified of a message after their removal was answered`);
    if (before.some((other) => other.type === 'message.notified' && other.channel_seq >= event.channel_seq)) this.violate('G3', `${userId} was notified of ${event.channel_seq} late`);
  }

  /** What others see of this user is another now. */
  changesPresence(userId: string, before: { readonly version: number; readonly at: number }, now: { readonly version: number; readonly at: number }): void {
    if (now.version < before.version) this.violate('G3', `the presence of ${userId} went back from ${before.version} to ${now.version}`);
    if (now.at - before.at < PRESENCE_EVERY_SECONDS * 1_000) this.violate('G8', `the presence of ${userId} changed twice within ${now.at - before.at} ms`);
  }

  /** Somebody is shown an event: it is the very one that the log holds. */
  isTrue<E extends { readonly seq: number }>(truth: Truth<E>, event: E, epoch: number): void {
    if (!truth.holds(event, epoch)) this.violate('G3', `event ${event.seq} was shown, which the durable log does not hold`);
  }

  /** Whether nothing is between the two but what Postgres could not take. */
  follows(truth: Truth, before: number, seq: number): boolean {
    return seq > before && this.#arePoison(truth, before + 1, seq - 1, []);
  }

  #tells(truth: Truth, told: Told, frame: Frame, said: Said): void {
    if (frame.type === 'welcome') [told.epoch, told.seq] = [frame.epoch, frame.seq];
    if (frame.type !== 'events') return;
    this.#mayHear(told.actor, said.at);
    if (frame.epoch !== told.epoch || frame.from !== (told.seq ?? 0) + 1) this.violate('G4', `a socket at ${told.epoch}/${told.seq} got events ${frame.epoch}/${frame.from} to ${frame.to}`);
    told.seq = frame.to;
    const seqs = frame.events.map(({ seq }) => seq);
    const missing = frame.to - frame.from + 1 - seqs.length;
    if (missing < 0 || (missing > 0 && !this.#arePoison(truth, frame.from, frame.to, seqs))) this.violate('G4', `events ${frame.from} to ${frame.to} are ${seqs.join(', ')}`);
    for (const event of frame.events) this.isTrue(truth, event, frame.epoch);
  }

  /** What Postgres could not take may be missing, where events are read from it; nothing else. */
  #arePoison(truth: Truth, from: number, to: number, seqs: readonly number[]): boolean {
    const shown = new Set(seqs);
    return truth.events.slice(from - 1, to).every((event) => shown.has(event.seq) || isPoison(event));
  }

  #mayHear({ credential_id, expires_at }: Actor, saidAt: number): void {
    if (this.revoked.has(credential_id)) this.violate('G5', `the credential ${credential_id} was told events after its revocation was answered`);
    if (expires_at <= saidAt) this.violate('G5', `the credential ${credential_id} was told events after its end`);
  }
}

export const keyOf = (authorId: string, clientMsgId: string): string => `${authorId} ${clientMsgId}`;

/** By what is in it: the model of Postgres refuses it for good. */
export const POISON = '☠';
export const isPoison = (event: object): boolean => 'text' in event && typeof event.text === 'string' && event.text.includes(POISON);
