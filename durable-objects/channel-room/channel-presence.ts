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
  /** Tells the watching sockets: those that are owed all of it, and the others. Null: nothing for these. */
  tell(frames: { readonly full: string; readonly diff: string | null }, isOwed: (socket: S) => boolean): void;
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

  constructor(known: PresenceCache, ports: ChannelPresencePorts<S>) {
    this.#known = known;
    this.#ports = ports;
  }

  /** The socket looks from now on, or has missed what was told: it gets all of it. */
  look(socket: S): void {
    this.#owed.add(socket);
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
    const unknown = this.#unknown();
    let whole = true;
    while (unknown.length > 0 && this.#ports.isWatched()) {
      const answers = await Promise.all(unknown.splice(0, CALLS).map((userId) => this.#askInbox(userId)));
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
    if (this.#retries >= RETRIES) return;
    this.#retries += 1;
    this.#ports.schedule(RETRY_MS, () => {
      if (this.#ports.isWatched() && !this.#isLarge()) void this.#ask();
    });
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
    const users = this.#isLarge() ? null : this.#members();
    const present = users === null ? this.#ports.connected() : users.filter(({ state }) => state !== 'offline').length;
    const changed = users === null ? null : users.filter(({ user_id }) => this.#changed.has(user_id));
    // An instance that has told nobody yet knows of changes by name, but of no number.
    const recounted = this.#present === null ? users === null : present !== this.#present;
    const news = this.#oweAll || recounted || (changed !== null && changed.length > 0);
    if (!news && this.#owed.size === 0) return;
    const full = frameOf(true, users === null ? null : users.filter(isSeen), present);
    const diff = this.#oweAll ? full : news ? frameOf(false, changed, present) : null;
    const owed = new Set(this.#owed);
    [this.#toldAt, this.#present, this.#changed, this.#oweAll] = [this.#ports.clock(), present, new Set(), false];
    this.#owed.clear();
    this.#ports.tell({ full, diff }, (socket) => owed.has(socket));
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
