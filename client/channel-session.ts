import type { MessagePage, MyChannel, User } from '../protocol/api.ts';
import type { ChannelEvent } from '../protocol/events.ts';
import type { CommandResult } from '../protocol/frames.ts';
import { backoffMs, delay, retrying } from './backoff.ts';
import { ChannelConnection, type ConnectionState, type Cursor } from './connection.ts';
import {
  type ChannelState,
  type PagePlace,
  applyEntry,
  applyEvents,
  applyPage,
  channelState,
  closeWindow,
  resetState,
  windowOf,
  withReadPos,
} from './channel-state.ts';
import type { Api, PageQuery } from './http.ts';
import { Outbox, type OutboxEntry } from './outbox.ts';
import type { Clock, KeyValueStore, OpenSocket, Random } from './ports.ts';
import { ReadMarker } from './read-marker.ts';

export interface SessionPorts {
  readonly api: Api;
  readonly openSocket: OpenSocket;
  /** Whether sockets need a ticket: true in browsers, false where `openSocket` sends `Authorization`. */
  readonly tickets: boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly store: KeyValueStore;
  readonly newId: () => string;
}

export interface SessionListener {
  stateChanged(state: ChannelState): void;
  connectionChanged(state: ConnectionState): void;
  outboxChanged(entries: readonly OutboxEntry[]): void;
  /** Live events, each once, in order; none for what a page of history brought. */
  events(events: readonly ChannelEvent[]): void;
  usersSeen(users: readonly User[]): void;
  /** What a reset asked to be read again could not be; the windows stay unread. */
  loadFailed(error: unknown): void;
}

/** One channel as one user sees it: its state kept live, its history read on demand, its messages sent once. */
export class ChannelSession {
  readonly #ports: SessionPorts;
  readonly #listener: SessionListener;
  readonly #me: string;
  readonly #connection: ChannelConnection;
  readonly #outbox: Outbox;
  readonly #readMarker: ReadMarker;
  #state: ChannelState;
  /** The newest load that replaces a window, by root. */
  readonly #replacing = new Map<string | null, symbol>();
  #stopped = false;

  constructor(channel: MyChannel, me: string, ports: SessionPorts, listener: SessionListener) {
    const { api, clock, random } = ports;
    this.#ports = ports;
    this.#listener = listener;
    this.#me = me;
    this.#state = channelState(channel);
    this.#connection = new ChannelConnection(
      {
        url: api.socketUrl(channel.id),
        since: { epoch: channel.epoch, seq: channel.as_of_seq },
        openSocket: ports.openSocket,
        ...(ports.tickets && { ticket: async () => (await api.socketTicket()).ticket }),
        diagnose: () => api.history(channel.id, { limit: 1 }),
        clock,
        random,
      },
      {
        stateChanged: (state) => listener.connectionChanged(state),
        events: (events) => this.#receive(events),
        reset: (cursor) => this.#reset(cursor),
      },
    );
    this.#outbox = new Outbox({
      send: (message) => this.#connection.command({ type: 'send', ...message }),
      changed: (entries) => listener.outboxChanged(entries),
      knownSeq: () => this.#state.seq,
      store: ports.store,
      prefix: `${outboxPrefix(me)}${channel.id}.`,
      newId: ports.newId,
      clock,
      random,
    });
    this.#readMarker = new ReadMarker((pos) => api.markRead(channel.id, pos), channel.read_pos, clock);
  }

  get state(): ChannelState {
    return this.#state;
  }

  start(): void {
    this.#connection.start();
    this.#listener.outboxChanged(this.#outbox.entries);
    this.#outbox.start();
  }

  stop(): void {
    this.#stopped = true;
    this.#outbox.stop();
    this.#readMarker.stop();
    this.#connection.stop();
  }

  /** Takes newer counters of the channel, such as a read marker moved on another device. */
  refresh(entry: MyChannel): void {
    this.#setState(applyEntry(this.#state, entry) ?? this.#state);
  }

  /** Someone looks, or the network is back: connects at once where it does not stand. */
  wake(): void {
    if (this.#stopped) return;
    this.#connection.start();
    this.#connection.wake();
  }

  /** Reads the newest page of the history, or of the thread of `rootId`, in place of what was read. */
  loadLatest(rootId: string | null = null): Promise<void> {
    return this.#load(rootId, 'replace', {});
  }

  /** Reads the history around a message, given by its id or its `pos`. */
  loadAround(place: string | number): Promise<void> {
    return this.#load(null, 'replace', { around: String(place) });
  }

  /** Reads on where `end` of the window is; does nothing where there is no more. */
  async loadMore(end: 'older' | 'newer', rootId: string | null = null): Promise<void> {
    const window = windowOf(this.#state, rootId);
    const cursor = end === 'older' ? window?.before : window?.after;
    if (cursor) await this.#load(rootId, end, end === 'older' ? { before: cursor } : { after: cursor });
  }

  closeThread(rootId: string): void {
    this.#setState(closeWindow(this.#state, rootId));
  }

  closeHistory(): void {
    this.#setState(closeWindow(this.#state, null));
  }

  /** Queues a message; throws `QueueFullError` when 100 wait already. */
  send(text: string, threadId: string | null = null): OutboxEntry {
    return this.#outbox.add(text, threadId);
  }

  retry(clientMsgId: string): void {
    this.#outbox.retry(clientMsgId);
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

  /** Moves the read marker to the newest message; the server hears of it within a second. */
  markRead(): void {
    this.#setState(withReadPos(this.#state, this.#state.lastPos));
    this.#readMarker.moveTo(this.#state.readPos);
  }

  #receive(events: readonly ChannelEvent[]): void {
    this.#setState(applyEvents(this.#state, events, this.#me));
    this.#outbox.applied(this.#state.seq, this.#ownIds(events));
    this.#listener.events(events);
  }

  #ownIds(events: readonly ChannelEvent[]): Set<string> {
    return new Set(events.flatMap((event) => (event.type === 'message.created' && event.actor_id === this.#me ? [event.client_msg_id] : [])));
  }

  /** What was shown is read again: the history if it was, the open threads, and the counters. */
  #reset(cursor: Cursor): void {
    const { history, threads } = this.#state;
    this.#setState(resetState(this.#state, cursor));
    void this.#reload([...(history ? [null] : []), ...threads.keys()]);
  }

  async #reload(windows: readonly (string | null)[]): Promise<void> {
    const failed = (error: unknown) => this.#listener.loadFailed(error);
    await Promise.all([this.#loadEntry().catch(failed), ...windows.map((rootId) => this.loadLatest(rootId).catch(failed))]);
  }

  async #loadEntry(): Promise<void> {
    const { channelId } = this.#state;
    await this.#fresh(this.#ports.api.bootstrap, ({ channels }) => {
      const entry = channels.find(({ id }) => id === channelId);
      return entry ? applyEntry(this.#state, entry) : this.#state;
    });
  }

  /** A page that arrives after its window was replaced is let go. */
  async #load(rootId: string | null, place: PagePlace, query: PageQuery): Promise<void> {
    const { api } = this.#ports;
    const { channelId } = this.#state;
    const load = Symbol();
    if (place === 'replace') this.#replacing.set(rootId, load);
    const edge = () => (place === 'older' ? windowOf(this.#state, rootId)?.before : windowOf(this.#state, rootId)?.after);
    const cursor = edge();
    const isCurrent = () => (place === 'replace' ? this.#replacing.get(rootId) === load : edge() === cursor);
    const read = (): Promise<MessagePage> => (rootId === null ? api.history(channelId, query) : api.replies(channelId, rootId, query));
    await this.#fresh(read, (page) => {
      this.#listener.usersSeen(page.users);
      return isCurrent() ? applyPage(this.#state, page, rootId, place, this.#me) : this.#state;
    });
  }

  /** Reads until the snapshot is recent enough to be applied: a replica, or the drain, may be behind the socket for a moment. */
  async #fresh<T>(read: () => Promise<T>, apply: (snapshot: T) => ChannelState | null): Promise<void> {
    for (let attempt = 0; !this.#stopped; attempt += 1) {
      const snapshot = await retrying(read, this.#ports);
      const next = this.#stopped ? this.#state : apply(snapshot);
      if (next) return this.#setState(next);
      await delay(this.#ports.clock, backoffMs('jitter', attempt, this.#ports.random));
    }
  }

  #setState(state: ChannelState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#listener.stateChanged(state);
  }
}

/** The keys of a user's unsent messages: what a sign-out has to remove. */
export const outboxPrefix = (userId: string): string => `colink.outbox.${userId}.`;
