import type { ServerFrame } from '../../protocol/frames.ts';
import { MAX_PRESENCE_LIST } from '../../protocol/limits.ts';
import type { UserPresence } from '../../protocol/presence.ts';
import type { PresenceNotice, WatchedPresence } from '../user-inbox/presence-api.ts';
import type { PresenceCache } from './presence-cache.ts';

/** Frames of one room are so far apart; and those that only count, of a large one. Milliseconds. */
const EVERY_MS = 1_000;
const COUNT_EVERY_MS = 5_000;
/** Inboxes asked at a time; how long the first answer waits for them; and when those that failed are asked again, how often. */
const CALLS = 16;
const PATIENCE_MS = 2_000;
const RETRY_MS = 5_000;
const RETRIES = 3;

/** What is told at once: frames for who is owed all of it, and for the others (null: nothing). `at` rises with each: epoch milliseconds. */
export interface PresenceTelling {
  readonly full: string;
  readonly diff: string | null;
  readonly at: number;
}

/** The state as it is to be told; `users` and `changed` null in a large channel. */
interface Snapshot {
  readonly users: UserPresence[] | null;
  readonly changed: UserPresence[] | null;
  readonly present: number;
  readonly isNews: boolean;
}

export interface ChannelPresencePorts<S> {
  clock(): number;
  /** Runs `task` once, `ms` later. */
  schedule(ms: number, task: () => void): void;
  /** At most so many. */
  members(limit: number): readonly string[];
  isMember(userId: string): boolean;
  /** Users with an open socket of the room, each once. */
  connected(): number;
  /** Whether any socket is to be told. */
  isWatched(): boolean;
  /** Asks the user's inbox, which from then on tells the room of changes. */
  watchInbox(userId: string): Promise<WatchedPresence>;
  /** Of a large channel: calls `sweep` in some minutes, for a connection that died without a word is told by nobody. */
  sweepLater(): void;
  /** Tells the watching sockets, and the nodes. */
  tell(telling: PresenceTelling, isOwed: (socket: S) => boolean): void;
}

/**
 * Who of a channel is present, for the sockets that look. A small channel learns it from its members' inboxes: asked when the first socket looks, told of
 * changes until the room answers one with «nobody looks». A large one tells only how many users have a socket of it. All frames leave here, so far
 * apart that no coming and going of many people becomes a storm; nobody looks, or nothing changes: nothing runs.
 */
export class ChannelPresence<S> {
  readonly #ports: ChannelPresencePorts<S>;
  readonly #known: PresenceCache;
  #large: boolean | null = null;
  readonly #owed = new Set<S>();
  #changed = new Set<string>();
  #present: number | null = null;
  #toldAt = Number.NEGATIVE_INFINITY;
  #timerAt: number | null = null;
  #asking: Promise<void> | null = null;
  #retries = 0;
  /** So many wait for inboxes: what those answer leaves together. */
  #waiting = 0;
  /** The channel was small and is large, or the reverse. */
  #oweAll = false;
  #oweNodes = false;
  /** Tellings in a row that did not reach all nodes. */
  #missed = 0;

  constructor(known: PresenceCache, ports: ChannelPresencePorts<S>) {
    this.#known = known;
    this.#ports = ports;
  }

  /** Asks who was not asked yet: an earlier instance was lost while it asked, or some could not be reached. One that slept had asked, and knows. */
  resume(): void {
    if (this.#ports.isWatched() && !this.#isLarge() && this.#unknown().length > 0) void this.#prepare();
  }

  /** The socket looks from now on, or has missed what was told: it gets all of it. */
  look(socket: S): void {
    this.#owed.add(socket);
    this.#retries = 0;
    void this.#prepare();
  }

  /** A socket on a node looks: the nodes are told, and know who is owed. */
  lookFromNode(): void {
    this.#oweNodes = true;
    this.#retries = 0;
    void this.#prepare();
  }

  leave(socket: S): void {
    this.#owed.delete(socket);
    this.connectedChanged();
  }

  /** A socket came or went: of a large channel that is news. */
  connectedChanged(): void {
    if (this.#ports.isWatched() && this.#isLarge()) this.#tellSoon(COUNT_EVERY_MS);
  }

  /** It was looked for who is gone without a word. While anybody looks it will be again. */
  sweep(): void {
    this.connectedChanged();
    this.#sweepLater();
    [this.#retries, this.#missed] = [0, 0];
    if (this.#oweAll) this.#tellSoon(EVERY_MS);
    this.resume();
  }

  /** A node that could not be told has missed a change: all is told again, to all. */
  toldNodes(areTold: boolean): void {
    if (areTold) this.#missed = 0;
    else if (this.#ports.isWatched()) this.#retell();
  }

  /** From a member's inbox. False: nobody looks, or it is none of this channel's business (G5); the inbox is to tell no more. */
  notice(notice: PresenceNotice): boolean {
    const { user_id } = notice.presence;
    const wanted = this.#ports.isWatched() && this.#ports.isMember(user_id) && !this.#isLarge();
    if (wanted) this.#learn(notice, true);
    else this.#known.forget(user_id);
    return wanted;
  }

  /** Somebody has become a member, or is none any more. */
  memberChanged(userId: string): void {
    const wasLarge = this.#large;
    this.#large = null;
    if (!this.#ports.isMember(userId)) this.#known.forget(userId);
    if (!this.#ports.isWatched()) return;
    if (wasLarge !== this.#isLarge()) this.#oweAll = true;
    void this.#prepare();
  }

  #sweepLater(): void {
    if (this.#ports.isWatched() && this.#isLarge()) this.#ports.sweepLater();
  }

  #isLarge(): boolean {
    return (this.#large ??= this.#ports.members(MAX_PRESENCE_LIST + 1).length > MAX_PRESENCE_LIST);
  }

  #learn(notice: PresenceNotice, lasting: boolean): void {
    const { presence } = notice;
    const isNews = isSeen(presence) || this.#known.has(presence.user_id);
    if (!this.#known.learn(notice, lasting) || !isNews) return;
    this.#changed.add(presence.user_id);
    if (this.#waiting === 0) this.#tellSoon(EVERY_MS);
  }

  /** Whoever is owed waits a little for inboxes that were not asked yet. What is late, or failed at first, is told as a change. */
  async #prepare(): Promise<void> {
    if (!this.#isLarge() && this.#unknown().length > 0) {
      this.#waiting += 1;
      await Promise.race([this.#ask(), this.#patience()]);
      this.#waiting -= 1;
    }
    this.#tellSoon(EVERY_MS);
  }

  #patience(): Promise<void> {
    return new Promise((resolve) => this.#ports.schedule(PATIENCE_MS, resolve));
  }

  #unknown(): string[] {
    return this.#ports.members(MAX_PRESENCE_LIST).filter((userId) => !this.#known.has(userId));
  }

  #ask(): Promise<void> {
    return (this.#asking ??= this.#askInboxes().finally(() => (this.#asking = null)));
  }

  async #askInboxes(): Promise<void> {
    const asked = new Set<string>();
    let whole = true;
    // Whoever becomes a member meanwhile is asked too.
    const next = (): string[] => this.#unknown().filter((userId) => !asked.has(userId)).slice(0, CALLS);
    for (let users = next(); users.length > 0 && this.#ports.isWatched(); users = next()) {
      for (const userId of users) asked.add(userId);
      const answers = await Promise.all(users.map((userId) => this.#askInbox(userId)));
      whole &&= answers.every(Boolean);
    }
    if (!whole) this.#retry();
  }

  async #askInbox(userId: string): Promise<boolean> {
    try {
      const { watching, ...notice } = await this.#ports.watchInbox(userId);
      if (this.#ports.isMember(userId)) this.#learn(notice, watching);
      return true;
    } catch {
      return false;
    }
  }

  #retry(): void {
    // Whoever cannot be reached for longer is asked with the next sweep.
    if (this.#retries >= RETRIES) return this.#ports.sweepLater();
    this.#retries += 1;
    this.#ports.schedule(RETRY_MS, () => {
      if (this.#ports.isWatched() && !this.#isLarge()) void this.#ask();
    });
  }

  #retell(): void {
    this.#oweAll = true;
    if (this.#missed >= RETRIES) return this.#ports.sweepLater();
    this.#missed += 1;
    this.#ports.schedule(RETRY_MS, () => this.#tellSoon(EVERY_MS));
  }

  #tellSoon(every: number): void {
    const now = this.#ports.clock();
    const at = Math.max(now, this.#toldAt + every);
    if (this.#timerAt !== null && this.#timerAt <= at) return;
    this.#timerAt = at;
    if (at === now) return this.#tell();
    this.#ports.schedule(at - now, () => {
      if (this.#timerAt === at) this.#tell();
    });
  }

  #tell(): void {
    this.#timerAt = null;
    const state = this.#snapshot();
    if (!state.isNews && this.#owed.size === 0 && !this.#oweNodes) return;
    const owed = new Set(this.#owed);
    const telling = { ...this.#frames(state), at: this.#ports.clock() };
    [this.#toldAt, this.#present, this.#changed, this.#oweAll, this.#oweNodes] = [telling.at, state.present, new Set(), false, false];
    this.#owed.clear();
    this.#sweepLater();
    this.#ports.tell(telling, (socket) => owed.has(socket));
  }

  #snapshot(): Snapshot {
    if (this.#isLarge()) {
      const present = this.#ports.connected();
      return { users: null, changed: null, present, isNews: this.#oweAll || present !== this.#present };
    }
    const users = this.#members();
    const changed = users.filter(({ user_id }) => this.#changed.has(user_id));
    const present = users.filter(({ state }) => state !== 'offline').length;
    // An instance that has told nobody yet knows of changes by name, but of no number.
    const isRecounted = this.#present !== null && present !== this.#present;
    return { users: users.filter(isSeen), changed, present, isNews: this.#oweAll || isRecounted || changed.length > 0 };
  }

  #frames({ users, changed, present, isNews }: Snapshot): Pick<PresenceTelling, 'full' | 'diff'> {
    const full = frameOf(true, users, present);
    if (this.#oweAll) return { full, diff: full };
    return { full, diff: isNews ? frameOf(false, changed, present) : null };
  }

  /** Whoever left while it was under way is not told of (G5). */
  #members(): UserPresence[] {
    return this.#known.all.filter(({ user_id }) => this.#ports.isMember(user_id));
  }
}

/** Who is missing in a full list is offline and says nothing. */
const isSeen = ({ state, status }: UserPresence): boolean => state !== 'offline' || status !== null;

const frameOf = (full: boolean, users: UserPresence[] | null, present: number): string =>
  JSON.stringify({ type: 'presence', full, users, present } satisfies ServerFrame);
