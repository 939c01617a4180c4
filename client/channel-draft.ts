import type { Message } from '../protocol/api.ts';
import type { ChannelDetails, ChannelEvent } from '../protocol/events.ts';
import { newerDetails } from './channel-details.ts';
import type { ChannelState, Held, MessageWindow } from './channel-window.ts';

type Created = Extract<ChannelEvent, { type: 'message.created' }>;

/** A state being changed: maps are copied once, messages replaced, so that what did not change stays the same object. */
export class Draft {
  readonly #base: ChannelState;
  readonly #messages: Map<string, Held>;
  readonly #threads: Map<string, MessageWindow>;
  #history: MessageWindow | null;
  #lastPos: number;
  #readPos: number;
  #details: ChannelDetails;

  constructor(base: ChannelState) {
    this.#base = base;
    this.#messages = new Map(base.messages);
    this.#threads = new Map(base.threads);
    this.#history = base.history;
    this.#lastPos = base.lastPos;
    this.#readPos = base.readPos;
    this.#details = base.details;
  }

  finish(): ChannelState {
    return {
      ...this.#base,
      messages: this.#messages,
      threads: this.#threads,
      history: this.#history,
      lastPos: this.#lastPos,
      readPos: this.#readPos,
      details: this.#details,
    };
  }

  /** Repeating an event, or applying one that a message's snapshot has seen, changes nothing. */
  apply(event: ChannelEvent, me: string): void {
    switch (event.type) {
      case 'message.created':
        return this.#created(event, me);
      case 'message.edited':
        return this.#update(event.message_id, event.seq, { text: event.text, revision: event.revision, edited_at: event.at, previews: undefined });
      case 'message.deleted':
        this.#update(event.message_id, event.seq, { text: '', deleted_at: event.at, pinned: undefined, previews: undefined, ...(event.by_moderator && { removed_by_moderator: true as const }) });
        return this.#countReply(event.thread_id, event.seq, -1);
      case 'reaction.added':
        return this.#react(event.message_id, event.seq, (users) => [...users, event.actor_id], event.emoji);
      case 'reaction.removed':
        return this.#react(event.message_id, event.seq, (users) => users.filter((id) => id !== event.actor_id), event.emoji);
      case 'message.pinned':
        return this.#update(event.message_id, event.seq, { pinned: { at: event.at, by: event.actor_id } });
      case 'message.unpinned':
        return this.#update(event.message_id, event.seq, { pinned: undefined });
      case 'message.previewed':
        return this.#update(event.message_id, event.seq, { previews: event.previews });
      case 'message.previews_removed':
        return this.#update(event.message_id, event.seq, { previews: undefined });
      case 'channel.changed':
        this.#details = newerDetails(this.#details, event);
        return;
      default:
    }
  }

  hold(messages: readonly Message[], asOf: number): void {
    for (const message of messages) this.#messages.set(message.id, { message, asOf });
  }

  setWindow(rootId: string | null, window: MessageWindow | null): void {
    const previous = rootId === null ? this.#history : this.#threads.get(rootId);
    if (rootId === null) this.#history = window;
    else if (window) this.#threads.set(rootId, window);
    else this.#threads.delete(rootId);
    if (previous) this.#forget(rootId === null ? previous.ids : [rootId, ...previous.ids]);
  }

  #created(event: Created, me: string): void {
    if (event.pos !== null) this.#lastPos = Math.max(this.#lastPos, event.pos);
    if (event.pos !== null && event.actor_id === me && event.origin === null) this.#readPos = Math.max(this.#readPos, event.pos);
    this.#countReply(event.thread_id, event.seq, 1);
    const window = event.thread_id === null ? this.#history : this.#threads.get(event.thread_id);
    if (!window || window.after !== null || event.seq <= window.asOf) return;
    if (!this.#messages.has(event.message_id)) this.#messages.set(event.message_id, { message: this.#message(event), asOf: event.seq });
    const appended = { ...window, ids: [...window.ids, event.message_id], asOf: event.seq };
    if (event.thread_id === null) this.#history = appended;
    else this.#threads.set(event.thread_id, appended);
  }

  #countReply(rootId: string | null, seq: number, by: 1 | -1): void {
    const root = rootId === null ? undefined : this.#messages.get(rootId);
    if (root) this.#update(root.message.id, seq, { reply_count: root.message.reply_count + by });
  }

  #react(id: string, seq: number, change: (users: string[]) => string[], emoji: string): void {
    const held = this.#messages.get(id);
    if (!held) return;
    const known = held.message.reactions.some((reaction) => reaction.emoji === emoji);
    const all = known ? held.message.reactions : [...held.message.reactions, { emoji, user_ids: [] }];
    const changed = all.map((reaction) => (reaction.emoji === emoji ? { emoji, user_ids: change(reaction.user_ids) } : reaction));
    this.#update(id, seq, { reactions: changed.filter(({ user_ids }) => user_ids.length > 0) });
  }

  #update(id: string, seq: number, changes: Partial<Message>): void {
    const held = this.#messages.get(id);
    if (held && seq > held.asOf) this.#messages.set(id, { message: { ...held.message, ...changes }, asOf: seq });
  }

  /** Drops messages that no window shows any more, save the roots of open threads. */
  #forget(ids: readonly string[]): void {
    const shown = new Set([...(this.#history?.ids ?? []), ...this.#threads.keys()]);
    for (const { ids: replies } of this.#threads.values()) for (const id of replies) shown.add(id);
    for (const id of ids) if (!shown.has(id)) this.#messages.delete(id);
  }

  #message(event: Created): Message {
    const { seq, pos, thread_id, tpos, client_msg_id, text, origin, file_ids } = event;
    return {
      id: event.message_id,
      channel_id: this.#base.channelId,
      seq,
      pos,
      thread_id,
      tpos,
      author_id: event.actor_id,
      client_msg_id,
      text,
      origin,
      revision: 1,
      created_at: event.at,
      edited_at: null,
      deleted_at: null,
      reply_count: 0,
      reactions: [],
      ...(file_ids !== undefined && { file_ids }),
    };
  }
}
