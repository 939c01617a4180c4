import type { ServerFrame } from '../../protocol/frames.ts';
import { TYPING_EVERY_SECONDS, TYPING_SECONDS } from '../../protocol/limits.ts';

/** Most that one frame names, the first to begin: more tell nobody anything. Whoever is left out counts once there is room. */
const MAX_TYPING = 20;
const EVERY_MS = TYPING_EVERY_SECONDS * 1_000;
const LIFE_MS = TYPING_SECONDS * 1_000;
/** Frames of one socket are so far apart, and a large room tells no more than so many sockets a second. */
const TICK_MS = 1_000;
const SOCKETS_PER_SECOND = 2_000;

export type TypingUsers = Extract<ServerFrame, { type: 'typing' }>['users'];

/** The list as it was told last, and as it is. */
export interface TypingChange {
  readonly before: TypingUsers;
  readonly now: TypingUsers;
}

export interface TypingPorts {
  clock(): number;
  /** Runs `task` once, `ms` later. */
  schedule(ms: number, task: () => void): void;
  /** Tells the sockets that keep up, and returns how many the room has. */
  tell(change: TypingChange): number;
}

interface Entry {
  readonly threadId: string | null;
  readonly at: number;
}

/**
 * Who is typing, by user: the newest that any of their sockets said. The first is told at once; while somebody types, a tick ends what is 5 s old and
 * tells what has changed. Nobody types: nothing ticks, so the room can sleep.
 */
export class Typing {
  readonly #ports: TypingPorts;
  readonly #entries = new Map<string, Entry>();
  #told: TypingUsers = [];
  #ticking = false;

  constructor(ports: TypingPorts) {
    this.#ports = ports;
  }

  get users(): TypingUsers {
    return this.#told;
  }

  /** The user types. More than one in 3 s is passed over; so is one past the limit. */
  typed(userId: string, threadId: string | null): void {
    const now = this.#ports.clock();
    const known = this.#entries.get(userId);
    if (known === undefined ? this.#entries.size >= MAX_TYPING : now - known.at < EVERY_MS) return;
    this.#entries.set(userId, { threadId, at: now });
    if (!this.#ticking) this.#tick();
  }

  /** The user has sent what they typed, or is gone. Told with the next tick. */
  ended(userId: string): void {
    this.#entries.delete(userId);
  }

  #tick(): void {
    const stale = this.#ports.clock() - LIFE_MS + TICK_MS / 2;
    for (const [userId, { at }] of this.#entries) if (at <= stale) this.#entries.delete(userId);
    const sockets = this.#tellChange();
    // The tick after the last change keeps what comes next so far from it.
    this.#ticking = this.#entries.size > 0 || sockets > 0;
    if (this.#ticking) this.#ports.schedule(Math.max(TICK_MS, (sockets * 1_000) / SOCKETS_PER_SECOND), () => this.#tick());
  }

  #tellChange(): number {
    const [before, now] = [this.#told, listed(this.#entries)];
    if (sameList(before, now)) return 0;
    this.#told = now;
    return this.#ports.tell({ before, now });
  }
}

const listed = (entries: ReadonlyMap<string, Entry>): TypingUsers => [...entries].map(([user_id, { threadId }]) => ({ user_id, thread_id: threadId }));

const sameList = (some: TypingUsers, other: TypingUsers): boolean => JSON.stringify(some) === JSON.stringify(other);

export const typingFrame = (users: TypingUsers): string => JSON.stringify({ type: 'typing', users } satisfies ServerFrame);

/** The frame of each user, who is not in it; encoded once for all who do not type. Null: for this user nothing has changed. */
export function typingFrames({ before, now }: TypingChange): (userId: string) => string | null {
  const names = new Set([...before, ...now].map(({ user_id }) => user_id));
  const common = typingFrame(now);
  return (userId) => {
    if (!names.has(userId)) return common;
    const [then, others] = [before, now].map((users) => users.filter(({ user_id }) => user_id !== userId));
    return then === undefined || others === undefined || sameList(then, others) ? null : typingFrame(others);
  };
}
