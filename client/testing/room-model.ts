import type { Message, MessagePage } from '../../protocol/api.ts';
import type { ChannelDetails, ChannelEvent, MemberRole } from '../../protocol/events.ts';
import { pick } from './random.ts';

export const ME = 'user-0';
const USERS = [ME, 'user-1', 'user-2'];
const CHANNEL = 'channel-1';
const ROLES: readonly MemberRole[] = ['owner', 'admin', 'member'];
type Created = Extract<ChannelEvent, { type: 'message.created' }>;

/**
 * A room reduced to its log. It answers reads as of any `seq` by looking the whole log through for each message: slow, and simple
 * enough to be believed.
 */
export class RoomModel {
  readonly log: ChannelEvent[] = [];
  readonly channelId = CHANNEL;

  get head(): number {
    return this.log.length;
  }

  /** Appends one thing that someone might do now. */
  grow(random: () => number): void {
    const what = pick(random, ['create', 'create', 'create', 'reply', 'reply', 'edit', 'delete', 'react', 'react', 'pin', 'preview', 'preview', 'member', 'channel'] as const);
    if (what === 'channel') return this.#append(pick(random, USERS), { type: 'channel.changed', ...this.details(), topic: `topic ${this.head}`, version: this.details().version + 1, kind: pick(random, ['public', 'private'] as const) });
    if (what === 'member') return this.#member(random, pick(random, USERS));
    const made = this.#created().filter(({ message_id }) => !this.#isDeleted(message_id));
    const target = made.length > 0 ? pick(random, made) : null;
    if (what === 'create' || !target) return this.#create(pick(random, USERS), null);
    if (what === 'reply') return this.#create(pick(random, USERS), target.thread_id ?? target.message_id);
    if (what === 'edit') return this.#edit(target);
    if (what === 'delete') return this.#append(target.actor_id, { type: 'message.deleted', message_id: target.message_id, thread_id: target.thread_id });
    if (what === 'pin') return this.#append(pick(random, USERS), { type: this.#pin(target.message_id, this.head) ? 'message.unpinned' : 'message.pinned', message_id: target.message_id });
    if (what === 'preview') return this.#preview(random, target);
    this.#toggle(target.message_id, pick(random, USERS), pick(random, ['👍', '🎉']));
  }

  eventsAfter(seq: number, limit = Infinity): ChannelEvent[] {
    return this.log.slice(seq, seq + limit);
  }

  messages(rootId: string | null, asOf: number): Message[] {
    return this.#created()
      .filter((event) => event.seq <= asOf && event.thread_id === rootId)
      .map((event) => this.#message(event, asOf));
  }

  page(rootId: string | null, asOf: number, query: { before?: string; after?: string; around?: string; limit: number }): MessagePage {
    const all = this.messages(rootId, asOf);
    const [start, end] = range(all, query);
    const data = all.slice(start, end);
    return {
      data,
      epoch: 1,
      as_of_seq: asOf,
      before_cursor: start > 0 ? String(order(data[0] ?? all[start]) ?? Infinity) : null,
      after_cursor: end < all.length ? String(order(all[end - 1]) ?? 0) : null,
      users: [],
    };
  }

  details(asOf = this.head): ChannelDetails {
    const last = this.log.slice(0, asOf).findLast((event) => event.type === 'channel.changed');
    const { name, topic, purpose, archived_at, version, kind = 'public' } = last ?? { name: 'general', topic: '', purpose: '', archived_at: null, version: 1 };
    return { name, topic, purpose, archived_at, version, kind };
  }

  lastPos(asOf = this.head): number {
    return this.messages(null, asOf).length;
  }

  #created(): Created[] {
    return this.log.filter((event) => event.type === 'message.created');
  }

  #about(id: string, asOf: number): ChannelEvent[] {
    return this.log.slice(0, asOf).filter((event) => 'message_id' in event && event.message_id === id);
  }

  /** The event by which it is pinned. */
  #pin(id: string, asOf: number): ChannelEvent | null {
    const last = this.#about(id, asOf).findLast(({ type }) => type === 'message.pinned' || type === 'message.unpinned' || type === 'message.deleted');
    return last?.type === 'message.pinned' ? last : null;
  }

  #isDeleted(id: string): boolean {
    return this.#about(id, this.head).some(({ type }) => type === 'message.deleted');
  }

  #message(event: Created, asOf: number): Message {
    const about = this.#about(event.message_id, asOf);
    const edit = about.findLast((other) => other.type === 'message.edited');
    const deletion = about.find(({ type }) => type === 'message.deleted');
    const pinned = this.#pin(event.message_id, asOf);
    // What changed them last: an edit takes them away.
    const shown = about.findLast(({ type }) => ['message.previewed', 'message.previews_removed', 'message.edited', 'message.deleted'].includes(type));
    const replies = this.#created().filter((reply) => reply.seq <= asOf && reply.thread_id === event.message_id);
    const gone = replies.filter((reply) => this.#about(reply.message_id, asOf).some(({ type }) => type === 'message.deleted'));
    return {
      id: event.message_id,
      channel_id: CHANNEL,
      seq: event.seq,
      pos: event.pos,
      thread_id: event.thread_id,
      tpos: event.tpos,
      author_id: event.actor_id,
      client_msg_id: event.client_msg_id,
      text: deletion ? '' : (edit?.text ?? event.text),
      origin: event.origin,
      revision: edit?.revision ?? 1,
      created_at: event.at,
      edited_at: edit?.at ?? null,
      deleted_at: deletion?.at ?? null,
      reply_count: replies.length - gone.length,
      reactions: reactions(about),
      ...(pinned && { pinned: { at: pinned.at, by: pinned.actor_id } }),
      ...(shown?.type === 'message.previewed' && { previews: shown.previews }),
    };
  }

  #create(actor: string, rootId: string | null): void {
    const position = this.#created().filter(({ thread_id }) => thread_id === rootId).length + 1;
    const [pos, tpos] = rootId === null ? [position, null] : [null, position];
    const id = `message-${this.head + 1}`;
    this.#append(actor, { type: 'message.created', message_id: id, client_msg_id: `c-${id}`, text: id, pos, thread_id: rootId, tpos, origin: null });
  }

  #edit({ actor_id, message_id }: Created): void {
    const revision = this.#about(message_id, this.head).filter(({ type }) => type === 'message.edited').length + 2;
    this.#append(actor_id, { type: 'message.edited', message_id, text: `edit ${revision}`, revision });
  }

  #preview(random: () => number, { actor_id, message_id }: Created): void {
    const about = this.#about(message_id, this.head);
    if (about.some(({ type }) => type === 'message.previews_removed')) return;
    if (random() < 0.2) return this.#append(actor_id, { type: 'message.previews_removed', message_id });
    const revision = about.filter(({ type }) => type === 'message.edited').length + 1;
    this.#append(actor_id, { type: 'message.previewed', message_id, revision, previews: [{ url: 'https://page.example/', title: `page ${this.head}`, description: null, site_name: null }] });
  }

  #toggle(messageId: string, actor: string, emoji: string): void {
    const present = reactions(this.#about(messageId, this.head)).some((reaction) => reaction.emoji === emoji && reaction.user_ids.includes(actor));
    this.#append(actor, { type: present ? 'reaction.removed' : 'reaction.added', message_id: messageId, emoji });
  }

  /** Whoever comes or goes; what they wrote stays. */
  #member(random: () => number, userId: string): void {
    if (random() < 0.5) this.#append(ME, { type: 'member.added', user_id: userId, role: pick(random, ROLES) });
    else this.#append(userId, { type: 'member.removed', user_id: userId });
  }

  #append(actor: string, event: Body): void {
    const seq = this.head + 1;
    this.log.push({ seq, id: `event-${seq}`, at: new Date(seq * 1_000).toISOString(), actor_id: actor, ...event });
  }
}

type Body = ChannelEvent extends infer E ? (E extends ChannelEvent ? Omit<E, 'seq' | 'id' | 'at' | 'actor_id'> : never) : never;

const order = (message: Message | undefined): number | null => message?.pos ?? message?.tpos ?? null;

function range(all: readonly Message[], { before, after, around, limit }: { before?: string; after?: string; around?: string; limit: number }): [number, number] {
  if (after !== undefined) {
    const start = all.filter((message) => (order(message) ?? 0) <= Number(after)).length;
    return [start, Math.min(all.length, start + limit)];
  }
  const middle = all.findIndex(({ id }) => id === around);
  const end = before !== undefined ? Number(before) - 1 : middle >= 0 ? Math.min(all.length, middle + Math.ceil(limit / 2)) : all.length;
  const bounded = Math.min(end, all.length);
  return [Math.max(0, bounded - limit), bounded];
}

/** In alphabetical order: which came first is not part of the model. */
function reactions(about: readonly ChannelEvent[]): Message['reactions'] {
  const present = new Set<string>();
  for (const event of about) {
    if (event.type === 'reaction.added') present.add(`${event.emoji} ${event.actor_id}`);
    if (event.type === 'reaction.removed') present.delete(`${event.emoji} ${event.actor_id}`);
  }
  const pairs = [...present].toSorted().map((pair) => pair.split(' '));
  return [...new Set(pairs.map(([emoji = '']) => emoji))].map((emoji) => ({
    emoji,
    user_ids: pairs.flatMap(([other, user = '']) => (other === emoji ? [user] : [])),
  }));
}
