import { computed, signal } from '@preact/signals';
import { detailsOfEntry } from '../../client/channel-details.ts';
import { ChannelSession } from '../../client/channel-session.ts';
import { channelState, unreadCount } from '../../client/channel-state.ts';
import type { ChannelState } from '../../client/channel-window.ts';
import type { ConnectionState } from '../../client/lifecycle.ts';
import type { OutboxEntry } from '../../client/outbox.ts';
import { type ChannelPresence, NOBODY } from '../../client/presence.ts';
import type { Typist } from '../../client/typing.ts';
import type { Message, MyChannel, MyDirectChannel } from '../../protocol/api.ts';
import type { ChannelDetails, ChannelEvent } from '../../protocol/events.ts';
import type { ReadPlace } from '../../protocol/read-places.ts';
import { Draft } from './draft.ts';
import { badgeOf, knownRead, markRead, markUnread } from './inbox.ts';
import { type Loading, failed, load } from './loading.ts';
import { MemberList } from './member-list.ts';
import { PinList } from './pins.ts';
import { api, ports } from './platform.ts';
import { Uploads } from './uploads.ts';
import { displayName, learnUsers } from './users.ts';

/** Longest history kept of a channel out of view, and longest one that grows in view. */
const MAX_KEPT = 300;
const MAX_WATCHED = 1_000;

export interface Target {
  readonly messageId: string | null;
}

/** `direct`: between people; it has no name of its own. */
export type ChannelInfo = Omit<ChannelDetails, 'kind'> & { readonly kind: (MyChannel | MyDirectChannel)['kind'] };

export interface StoreListener {
  events(store: ChannelStore, events: readonly ChannelEvent[]): void;
  closed(store: ChannelStore, reason: string): void;
}

/** A channel as the page shows it: the session's state as signals, and what is open in it. */
export class ChannelStore {
  readonly id: string;
  readonly info;
  /** The others of a direct channel; nobody: notes to oneself. Null in a channel that has a name. */
  readonly people: readonly string[] | null;
  /** What it is called where it is spoken of: `#plans`, or the names of the others. */
  readonly title = computed(() => (this.people === null ? `#${this.info.value.name}` : namesOf(this.people)));
  readonly state;
  readonly connection = signal<ConnectionState>({ name: 'idle' });
  readonly outbox = signal<readonly OutboxEntry[]>([]);
  readonly typists = signal<readonly Typist[]>([]);
  readonly presence = signal<ChannelPresence>(NOBODY);
  readonly historyLoading = signal<Loading>({ name: 'idle' });
  readonly threadLoading = signal<Loading>({ name: 'idle' });
  /** The message being edited. */
  readonly editing = signal<string | null>(null);
  /** A message to scroll to once it is there, or null for the end; a new object each time. */
  readonly target = signal<Target | null>(null);
  /** Where "new messages" begins: after this position. */
  readonly newAfter = signal<number | null>(null);
  /** Whether the newest message is before the reader's eyes. */
  readonly isReading = signal(false);
  /** Something was marked as unread, here or elsewhere: it stays so until the channel is opened again. */
  readonly isHeldUnread = signal(false);
  readonly unread = computed(() => (this.isReading.value ? 0 : (unreadIn(this.id) ?? unreadCount(this.state.value))));
  readonly mentions = computed(() => (this.isReading.value ? 0 : (badgeOf(this.id)?.mentions ?? 0)));
  readonly members: MemberList;
  readonly pins: PinList;
  readonly session: ChannelSession;
  /** What is being written, by root id, `''` for the channel itself. */
  readonly #drafts = new Map<string, Draft>();
  /** Whether it stays live out of view: for who of it is present. */
  isKeptLive = false;
  readonly #uploads = new Map<string, Uploads>();
  #opening = Promise.resolve();

  constructor(channel: MyChannel | MyDirectChannel, me: string, listener: StoreListener) {
    this.id = channel.id;
    this.people = 'user_ids' in channel ? channel.user_ids.filter((id) => id !== me) : null;
    this.info = signal<ChannelInfo>({ ...detailsOfEntry(channel), kind: channel.kind });
    this.state = signal<ChannelState>(channelState(channel));
    this.members = new MemberList((cursor) => api.members(channel.id, cursor), learnUsers);
    this.pins = new PinList(channel.id);
    this.session = new ChannelSession(channel, me, { ...ports, markRead }, {
      stateChanged: (state) => this.#stateChanged(state),
      connectionChanged: (state) => {
        this.connection.value = state;
        if (state.name === 'closed' && state.reason !== 'stopped') listener.closed(this, state.reason);
      },
      outboxChanged: (entries) => (this.outbox.value = entries),
      events: (events) => {
        this.members.apply(events);
        this.pins.apply(events);
        listener.events(this, events);
      },
      usersSeen: learnUsers,
      typingChanged: (typists) => (this.typists.value = typists),
      presenceChanged: (presence) => (this.presence.value = presence),
      loadFailed: (error) => (this.historyLoading.value = failed(error)),
    });
  }

  message(id: string): Message | null {
    return this.state.value.messages.get(id)?.message ?? null;
  }

  /** The channel came into view: from now on it is live. */
  open(): Promise<void> {
    this.isHeldUnread.value = false;
    this.session.readTo(knownRead(this.id));
    this.session.start();
    this.session.watchPresence(true);
    this.newAfter.value = this.unread.peek() > 0 ? this.state.peek().readPos : null;
    if (!this.state.peek().history) this.#opening = this.loadLatest();
    return this.#opening;
  }

  /** The read marker was moved on another device, or here by `markUnread`. */
  readTo(place: ReadPlace): void {
    if (place.generation > this.state.peek().readGeneration) this.isHeldUnread.value = true;
    this.session.readTo(place);
  }

  /** From the message at `pos` on. */
  async markUnread(pos: number): Promise<void> {
    await markUnread(this.id, pos);
    this.readTo(knownRead(this.id));
    this.newAfter.value = this.state.peek().readPos;
  }

  /** Keeps the channel live while it is out of view, or no more. */
  keepLive(isKept: boolean, isOpen: boolean): void {
    if (isKept === this.isKeptLive) return;
    this.isKeptLive = isKept;
    if (isKept) {
      this.session.start();
      this.session.watchPresence(true);
    } else if (!isOpen) this.#rest();
  }

  #rest(): void {
    this.session.watchPresence(false);
    this.session.rest();
  }

  /** Resolves when the history was read that the channel opens with. */
  opened(): Promise<void> {
    return this.#opening;
  }

  /** The channel went out of view: what is unread in it, the inbox tells. A short history that reaches the present is kept for the next time. */
  leave(): void {
    this.editing.value = null;
    this.target.value = null;
    this.isReading.value = false;
    if (!this.isKeptLive) this.#rest();
    const { history } = this.state.peek();
    if (history && (history.after !== null || history.ids.length > MAX_KEPT)) this.session.closeHistory();
  }

  loadLatest(): Promise<void> {
    return load(this.historyLoading, () => this.session.loadLatest());
  }

  async loadMore(end: 'older' | 'newer', rootId: string | null): Promise<void> {
    const loading = rootId === null ? this.historyLoading : this.threadLoading;
    if (loading.peek().name === 'idle') await load(loading, () => this.session.loadMore(end, rootId));
  }

  /** After a failure: reading goes on where it stood. */
  resumeLoading(rootId: string | null): void {
    (rootId === null ? this.historyLoading : this.threadLoading).value = { name: 'idle' };
  }

  /** Opens the replies to a message; the message itself is read with its surroundings where it is not at hand. */
  async openThread(rootId: string): Promise<void> {
    const replies = load(this.threadLoading, () => this.session.loadLatest(rootId));
    await this.#opening;
    if (!this.state.peek().messages.has(rootId)) await this.jumpTo(rootId);
    await replies;
  }

  /** What is being written to the channel, or in a thread. */
  draftOf(rootId: string | null): Draft {
    const draft = this.#drafts.get(rootId ?? '') ?? new Draft(this.id, rootId);
    this.#drafts.set(rootId ?? '', draft);
    return draft;
  }

  drafts(): readonly Draft[] {
    return [...this.#drafts.values()];
  }

  /** The files of the message that is being written there. */
  uploadsOf(rootId: string | null): Uploads {
    const uploads = this.#uploads.get(rootId ?? '') ?? new Uploads(this.id);
    this.#uploads.set(rootId ?? '', uploads);
    return uploads;
  }

  /** Queues a message and shows the end of the list, where it stands. Throws `QueueFullError`. */
  send(text: string, rootId: string | null, fileIds: readonly string[] = []): void {
    this.session.send(text, rootId, fileIds);
    if (rootId !== null) return;
    this.newAfter.value = null;
    this.showEnd();
  }

  showEnd(): void {
    if (this.state.peek().history?.after) void this.loadLatest();
    this.target.value = { messageId: null };
  }

  /** Scrolls to where "new messages" begins. */
  async jumpToNew(): Promise<void> {
    const first = (this.newAfter.peek() ?? 0) + 1;
    await load(this.historyLoading, () => this.session.loadAround(first));
    const { history, messages } = this.state.peek();
    const messageId = history?.ids.find((id) => (messages.get(id)?.message.pos ?? 0) >= first);
    if (messageId !== undefined) this.target.value = { messageId };
  }

  /** Scrolls to a message of the history, reading its surroundings where it is not at hand. */
  async jumpTo(messageId: string): Promise<void> {
    const isHere = this.state.peek().history?.ids.includes(messageId);
    if (!isHere) await load(this.historyLoading, () => this.session.loadAround(messageId));
    this.target.value = { messageId };
  }

  /** Takes what was read of the channel, unless newer was heard. */
  learn(channel: MyChannel | MyDirectChannel): void {
    this.#detailsTold(detailsOfEntry(channel));
    this.session.refresh(channel);
  }

  #detailsTold(details: ChannelDetails): void {
    const { version, kind } = this.info.peek();
    if (details.version > version) this.info.value = { ...details, kind: details.kind ?? kind };
  }

  #stateChanged(state: ChannelState): void {
    this.#detailsTold(state.details);
    const hasMissed = state.epoch !== this.state.peek().epoch || state.tailFrom > this.state.peek().seq;
    this.state.value = state;
    if (hasMissed) this.members.forget();
  }

  /** A list that has grown for long while it was watched is read anew. */
  trim(): void {
    if ((this.state.peek().history?.ids.length ?? 0) > MAX_WATCHED) void this.loadLatest();
  }
}

const namesOf = (people: readonly string[]): string => (people.length === 0 ? 'Notes to yourself' : people.map(displayName).join(', '));

function unreadIn(channelId: string): number | undefined {
  const badge = badgeOf(channelId);
  return badge === null ? 0 : badge?.unread;
}
