import type { ChannelEvent } from '../../protocol/events.ts';

/** What somebody wants, as a test keeps it. */
export interface Person {
  readonly id: string;
  readonly handle: string;
  readonly isMember: boolean;
  readonly level: 'all' | 'mentions' | 'none' | null;
  readonly levelHere: 'all' | 'mentions' | 'none' | null;
  readonly isMuted: boolean;
  readonly isQuiet: boolean;
  readonly keywords: readonly string[];
  readonly readPos: number;
}

interface Expected {
  readonly message_id: string;
  readonly reason: string;
  readonly quiet: boolean;
}

type Created = Extract<ChannelEvent, { type: 'message.created' }>;

/** Whom a text of these tests names: words are parted by single spaces, and a mention is one of them. */
const names = (text: string, handle: string): boolean => text.split(' ').includes(`@${handle}`);

/** Keywords of these tests: Latin ones by whole words, the other anywhere. */
function has(text: string, keyword: string): boolean {
  if (keyword === '東京') return text.includes(keyword);
  const words = text.toLowerCase().split(/[ @]/).filter((word) => word !== '');
  return words.some((_, at) => words.slice(at, at + keyword.split(' ').length).join(' ') === keyword);
}

/** Whoever wrote the root or a reply, or was named in a reply; imports aside. */
const hasFollowedBy = ({ origin, actor_id, thread_id, text }: Created, { id, handle }: Person): boolean => origin === null && (actor_id === id || (thread_id !== null && names(text, handle)));

function reasonOf(event: Created, thread: readonly Created[], person: Person): string | null {
  const level = person.levelHere ?? person.level ?? 'mentions';
  if (level === 'none') return null;
  if (names(event.text, person.handle)) return 'mention';
  if (person.isMuted) return null;
  if (person.keywords.some((keyword) => has(event.text, keyword))) return 'keyword';
  if (thread.some((one) => hasFollowedBy(one, person))) return 'thread_reply';
  if (names(event.text, 'channel')) return 'channel_mention';
  return level === 'all' ? 'all' : null;
}

/** One pass over the whole log, written as differently as can be from what the group does: everything in memory, message by message. By message id. */
export function expectedNotices(events: readonly ChannelEvent[], person: Person, people: readonly Person[]): Expected[] {
  const found = new Map<string, Expected>();
  const sent = new Map<string, Created>();
  if (!people.some(({ id, isMember }) => id === person.id && isMember)) return [];
  const add = (message: Created, reason: string | null): void => {
    const isSeen = message.pos !== null && message.pos <= person.readPos;
    if (reason !== null && !isSeen && message.origin === null && !found.has(message.message_id)) found.set(message.message_id, { message_id: message.message_id, reason, quiet: person.isQuiet });
  };
  const before = ({ thread_id, seq }: Created) => [...sent.values()].filter((one) => one.seq < seq && (one.message_id === thread_id || one.thread_id === thread_id));
  for (const event of events) {
    if (event.type === 'message.created') {
      sent.set(event.message_id, event);
      if (event.actor_id !== person.id) add(event, reasonOf(event, event.thread_id === null ? [] : before(event), person));
    } else if (event.type === 'message.edited' && event.actor_id !== person.id) {
      const message = sent.get(event.message_id);
      const isWanted = (person.levelHere ?? person.level) !== 'none' && names(event.text, person.handle);
      if (message !== undefined) add(message, isWanted ? 'mention' : null);
    }
  }
  return [...found.values()].toSorted((a, b) => (a.message_id < b.message_id ? -1 : 1));
}
