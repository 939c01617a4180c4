import type { MyChannel, MyDirectChannel } from '../protocol/api.ts';
import type { ChannelEvent } from '../protocol/events.ts';
import type { CommandResult } from '../protocol/frames.ts';
import type { ReadPlace } from '../protocol/read-places.ts';
import { applyEntry, applyEvents, channelState, closeWindow, readPlaceOf, resetState, withReadPlace } from './channel-state.ts';
import { type ChannelState, windowOf } from './channel-window.ts';
import { Connection, type Cursor } from './connection.ts';
import { HistoryReader } from './history-reader.ts';
import type { ConnectionState } from './lifecycle.ts';
import { Outbox, type OutboxEntry } from './outbox.ts';
import { soleOwner } from './ports.ts';
import { type ChannelPresence, NOBODY, applyPresence } from './presence.ts';
import { ReadMarker } from './read-marker.ts';
import type { SessionListener, SessionPorts } from './session-ports.ts';
import { type Typist, Typing } from './typing.ts';
import type { RoomWire } from './wires.ts';

/** How long nobody may look before the socket of a room is given up until someone does. */
const HIDDEN_AFTER_MS = 5 * 60_000;
/** How long the socket of a room that was put to rest is kept, should it be wanted again. */
const REST_AFTER_MS = 30_000;

/** One channel as one user sees it: its state kept live, its history read on demand, its messages sent once. */
export class ChannelSession {
  readonly #ports: SessionPorts;
  readonly #listener: Partial<SessionListener>;
  readonly #me: string;
  readonly #channelId: string;
  readonly #connection: Connection<RoomWire>;
  readonly #outbox: Outbox;
  readonly #readMarker: ReadMarker;
  readonly #typing: Typing;
  readonly #reader: HistoryReader;
  #state: ChannelState;
  #presence = NOBODY;
  #isWatching = false;
  #cancelRest: () => void = () => {};
  #unwatchLeaving: (() => void) | null = null;
  #stopped = false;

  constructor(channel: MyChannel | MyDirectChannel, me: string, ports: SessionPorts, listener: Partial<SessionListener>) {
    const { api, clock, random } = ports;
    this.#ports = ports;
    this.#listener = listener;
    this.#me = me;
    this.#channelId = channel.id;
    this.#state = channelState(channel);
    this.#connection = new Connection<RoomWire>(
      {
        url: api.socketUrl(channel.id),
        since: { epoch: channel.epoch, seq: channel.as_of_seq },
        openSocket: ports.openSocket,
        ...(ports.tickets && { ticket: async () => (await api.socketTicket()).ticket }),
        diagnose: () => api.history(channel.id, { limit: 1 }),
        ...(ports.conditions && { conditions: ports.conditions }),
        hiddenAfterMs: HIDDEN_AFTER_MS,
        clock,
        random,
      },
      {
        stateChanged: (state) => this.#connectionChanged(state),
        events: (events) => this.#receive(events),
        reset: (cursor) => this.#reset(cursor),
        state: (frame) => this.#receiveState(frame),
      },
    );
    this.#outbox = new Outbox({
      send: (message) => this.#connection.command({ type: 'send', ...message }),
      changed: (entries) => listener.outboxChanged?.(entries),
      knownSeq: () => this.#state.seq,
      store: ports.store,
      prefix: `${outboxPrefix(me)}${channel.id}.`,
      owner: ports.owner ?? soleOwner,
      newId: ports.newId,
      clock,
      random,
    });
    const markRead = ports.markRead ?? api.markRead;
    this.#readMarker = new ReadMarker(({ pos, generation }) => markRead(channel.id, pos, generation), readPlaceOf(this.#state), clock);
    this.#reader = new HistoryReader({
      me,
      api,
      clock,
      random,
      state: () => this.#state,
      setState: (state) => this.#setState(state),
      usersSeen: (users) => listener.usersSeen?.(users),
      failed: (error) => listener.loadFailed?.(error),
    });
    this.#typing = new Typing({
      clock,
      tell: (threadId) => this.#connection.notify({ type: 'typing', ...(threadId !== null && { thread_id: threadId }) }),
      changed: (typists) => listener.typingChanged?.(typists),
    });
  }

  get state(): ChannelState {
    return this.#state;
  }

  get presence(): ChannelPresence {
    return this.#presence;
  }

  get typists(): readonly Typist[] {
    return this.#typing.typists;
  }

  start(): void {
    if (this.#stopped) return;
    this.#cancelRest();
    this.#unwatchLeaving ??= this.#ports.conditions?.watchLeaving?.(() => this.#leaving()) ?? null;
    this.#connection.start();
    this.#outbox.start();
  }

  /** For good. */
  stop(): void {
    this.#stopped = true;
    this.#cancelRest();
    this.#outbox.stop();
    this.#reader.stop();
    this.#readMarker.stop();
    this.#unwatchLeaving?.();
    this.#connection.stop();
  }

  /** Nobody needs the channel live: the socket closes 30 s from now, once nothing of one's own is on its way. `start` goes on from there. */
  rest(): void {
    this.#cancelRest();
    this.#cancelRest = this.#ports.clock.after(REST_AFTER_MS, () => (this.#outbox.isBusy ? this.rest() : this.#connection.stop()));
  }

  /** Takes newer counters of the channel, such as a read marker moved on another device. */
  refresh(entry: MyChannel | MyDirectChannel): void {
    this.#setState(applyEntry(this.#state, entry) ?? this.#state);
  }

  /** Someone looks, or the network is back: connects at once where it does not stand. */
  wake(): void {
    this.start();
    this.#connection.wake();
  }

  /** Whether to be told who of the channel is present. */
  watchPresence(isWatching: boolean): void {
    if (isWatching === this.#isWatching) return;
    this.#isWatching = isWatching;
    this.#connection.notify({ type: 'watch', presence: isWatching });
  }

  /** The user has pressed a key: the others hear of it, at most once in 3 s. */
  typed(threadId: string | null = null): void {
    this.#typing.typed(threadId);
  }

  /** Reads the newest page of the history, or of the thread of `rootId`, in place of what was read. */
  loadLatest(rootId: string | null = null): Promise<void> {
    return this.#reader.load(rootId, 'replace', {});
  }

  /** Reads the history around a message, given by its id or its `pos`. */
  loadAround(place: string | number): Promise<void> {
    return this.#reader.load(null, 'replace', { around: String(place) });
  }

  /** Reads on where `end` of the window is; does nothing where there is no more. */
  async loadMore(end: 'older' | 'newer', rootId: string | null = null): Promise<void> {
    const window = windowOf(this.#state, rootId);
    const cursor = end === 'older' ? window?.before : window?.after;
    if (cursor) await this.#reader.load(rootId, end, end === 'older' ? { before: cursor } : { after: cursor });
  }

  closeThread(rootId: string): void {
    this.#setState(closeWindow(this.#state, rootId));
  }

  closeHistory(): void {
    this.#setState(closeWindow(this.#state, null));
  }

  /** Queues a message, with files that were uploaded to this channel; throws `QueueFullError` when 100 wait already. */
  send(text: string, threadId: string | null = null, fileIds: readonly string[] = []): OutboxEntry {
    const entry = this.#outbox.add(text, threadId, fileIds);
    this.#connection.start();
    return entry;
  }

  retry(clientMsgId: string): void {
    this.#outbox.retry(clientMsgId);
    this.#connection.start();
  }

  discard(clientMsgId: string): void {
    this.#outbox.discard(clientMsgId);
  }

  edit(messageId: string, text: string): Promise<CommandResult> {
    return this.#connection.command({ type: 'edit', message_id: messageId, text });
  }

  remove(messageId: string): Promise<CommandResult> {
    return this.#connection.command({ type: 'delete', message_id: messageId });
  }

  react(messageId: string, emoji: string): Promise<CommandResult> {
    return this.#connection.command({ type: 'react', message_id: messageId, emoji });
  }

  unreact(messageId: string, emoji: string): Promise<CommandResult> {
    return this.#connection.command({ type: 'unreact', message_id: messageId, emoji });
  }

  pin(messageId: string): Promise<CommandResult> {
    return this.#connection.command({ type: 'pin', message_id: messageId });
  }

  unpin(messageId: string): Promise<CommandResult> {
    return this.#connection.command({ type: 'unpin', message_id: messageId });
  }

  removePreviews(messageId: string): Promise<CommandResult> {
    return this.#connection.command({ type: 'remove_previews', message_id: messageId });
  }

  /** Moves the read marker to the newest message; the server hears of it within a second. */
  markRead(): void {
    this.readTo({ ...readPlaceOf(this.#state), pos: this.#state.lastPos });
    this.#readMarker.moveTo(readPlaceOf(this.#state));
  }

  /** A socket ends with its page, and what was just written to it may too; this call does not. */
  #leaving(): void {
    this.#readMarker.flush(({ pos, generation }) => this.#ports.api.markRead(this.#channelId, pos, generation));
  }

  /** The read marker is there, as another device or the inbox has it; also back, where something was marked as unread. */
  readTo(place: ReadPlace): void {
    this.#setState(withReadPlace(this.#state, place));
    if (place.generation > 0) this.#readMarker.learn(place);
  }

  #receive(events: readonly ChannelEvent[]): void {
    this.#setState(applyEvents(this.#state, events, this.#me));
    this.#outbox.applied(this.#state.seq, this.#ownIds(events));
    this.#typing.wrote(new Set(events.flatMap((event) => (event.type === 'message.created' ? [event.actor_id] : []))));
    this.#listener.events?.(events);
  }

  #receiveState(frame: RoomWire['state']): void {
    if (frame.type === 'typing') return this.#typing.received(frame.users);
    if (frame.type !== 'presence') return;
    this.#presence = applyPresence(this.#presence, frame);
    this.#listener.presenceChanged?.(this.#presence);
  }

  #connectionChanged(state: ConnectionState): void {
    if (state.name !== 'open') this.#typing.clear();
    else this.#opened();
    this.#listener.connectionChanged?.(state);
  }

  /** A new socket knows nothing of what the old one was asked for. */
  #opened(): void {
    if (this.#isWatching) this.#connection.notify({ type: 'watch', presence: true });
    this.#outbox.start();
  }

  #ownIds(events: readonly ChannelEvent[]): Set<string> {
    return new Set(events.flatMap((event) => (event.type === 'message.created' && event.actor_id === this.#me ? [event.client_msg_id] : [])));
  }

  /** What was shown is read again: the history if it was, the open threads, and the counters. */
  #reset(cursor: Cursor): void {
    const { epoch, history, threads } = this.#state;
    this.#setState(resetState(this.#state, cursor));
    // A result may come before its event, which is now behind the cursor and comes no more, or was of another epoch.
    if (epoch === cursor.epoch) this.#outbox.applied(cursor.seq, new Set());
    else this.#outbox.resend();
    void this.#reader.reload([...(history ? [null] : []), ...threads.keys()]);
  }

  #setState(state: ChannelState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#listener.stateChanged?.(state);
  }
}

/** The keys of a user's unsent messages: what a sign-out has to remove. */
export const outboxPrefix = (userId: string): string => `colink.outbox.${userId}.`;
