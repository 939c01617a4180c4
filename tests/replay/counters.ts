import type { ChannelEvent } from '../../protocol/events.ts';
import { MAX_UNREAD } from '../../protocol/limits.ts';

/** Somebody with a handle; `read`: up to which `pos` they have read each channel. */
export interface Person {
  readonly id: string;
  readonly handle: string;
  readonly read: Map<string, number>;
}

export interface ThreadCount {
  readonly replies: number;
  readonly last_tpos: number;
}

export interface UnreadCount {
  readonly unread: number;
  readonly mentions: number;
}

/** What a channel's log counts up to: a replay of it, by code that no part of Colink shares. */
export interface ChannelCounters {
  readonly last_seq: number;
  readonly last_pos: number;
  /** By the id of the message that begins the thread. */
  readonly threads: ReadonlyMap<string, ThreadCount>;
  /** What a member has not read, by `pos` read so far. */
  unreadOf(person: Pick<Person, 'id' | 'handle'>, readPos: number): UnreadCount;
}

interface Standing {
  readonly pos: number | null;
  readonly thread: string | null;
  readonly author: string;
  text: string;
  isDeleted: boolean;
}

/** Replays the events of one channel, in order. */
export function replayCounters(events: readonly ChannelEvent[]): ChannelCounters {
  const messages = new Map<string, Standing>();
  const threads = new Map<string, ThreadCount>();
  let last_pos = 0;
  for (const event of events) {
    if (event.type === 'message.created') {
      const { message_id, pos, thread_id: thread, actor_id: author, text, tpos } = event;
      messages.set(message_id, { pos, thread, author, text, isDeleted: false });
      last_pos = Math.max(last_pos, pos ?? 0);
      if (thread !== null && tpos !== null) threads.set(thread, { replies: (threads.get(thread)?.replies ?? 0) + 1, last_tpos: tpos });
      continue;
    }
    const message = 'message_id' in event ? messages.get(event.message_id) : undefined;
    if (message === undefined) continue;
    if (event.type === 'message.edited') message.text = event.text;
    if (event.type === 'message.deleted' && !message.isDeleted) remove(message, threads);
  }
  const standing = [...messages.values()];
  return { last_seq: events.at(-1)?.seq ?? 0, last_pos, threads, unreadOf: (person, readPos) => unreadOf(standing, last_pos, person, readPos) };
}

function remove(message: Standing, threads: Map<string, ThreadCount>): void {
  message.isDeleted = true;
  const thread = message.thread === null ? undefined : threads.get(message.thread);
  if (message.thread !== null && thread !== undefined) threads.set(message.thread, { ...thread, replies: thread.replies - 1 });
}

function unreadOf(standing: readonly Standing[], lastPos: number, { id, handle }: Pick<Person, 'id' | 'handle'>, readPos: number): UnreadCount {
  const after = Math.max(readPos, lastPos - MAX_UNREAD);
  const unread = standing.filter(({ pos, author, isDeleted }) => pos !== null && pos > after && author !== id && !isDeleted);
  return { unread: unread.length, mentions: unread.filter(({ text }) => names(text, handle)).length };
}

/** Whether a text names a handle: `@handle` that no letter, digit or name sign touches, in either case. */
function names(text: string, handle: string): boolean {
  const lower = text.toLowerCase();
  for (let at = lower.indexOf(`@${handle}`); at !== -1; at = lower.indexOf(`@${handle}`, at + 1)) {
    const [before, after] = [lower.slice(0, at), lower.slice(at + 1 + handle.length)];
    if (!/[a-z0-9@._-]$/.test(before) && !/^[._-]*[a-z0-9]/.test(after)) return true;
  }
  return false;
}
