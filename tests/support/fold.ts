import type { ChannelEvent } from '../../protocol/events.ts';

/** The state of a message, in the terms that sockets, history and Postgres share. `reactions` are `emoji user_id`, sorted. */
export interface MessageState {
  readonly id: string;
  readonly seq: number;
  readonly pos: number | null;
  readonly thread_id: string | null;
  readonly tpos: number | null;
  readonly author_id: string;
  readonly client_msg_id: string;
  readonly text: string;
  readonly revision: number;
  readonly deleted: boolean;
  readonly reactions: readonly string[];
  /** Who pinned it; null: it is not pinned. */
  readonly pinned: string | null;
  /** The titles of what was found at its links. */
  readonly previews: readonly string[];
}

/** A row of the search index. `seq` is the event it was last folded from. */
export interface IndexRow {
  readonly id: string;
  readonly author_id: string;
  readonly seq: number;
  readonly text: string;
}

/** An event with its position in `event_log`. */
export interface LogRecord {
  readonly position: number;
  readonly event: ChannelEvent;
}

type Created = Extract<ChannelEvent, { type: 'message.created' }>;

/** What a channel's messages are after these events, by id. Events of messages not created here change nothing. */
export function foldMessages(events: readonly ChannelEvent[]): Map<string, MessageState> {
  const states = new Map<string, MessageState>();
  for (const event of events) {
    if (event.type === 'message.created') states.set(event.message_id, firstState(event));
    else if ('message_id' in event) {
      const state = states.get(event.message_id);
      if (state) states.set(state.id, { ...state, ...changeOf(state, event) });
    }
  }
  return states;
}

function firstState({ message_id: id, actor_id: author_id, seq, pos, thread_id, tpos, client_msg_id, text }: Created): MessageState {
  return { id, seq, pos, thread_id, tpos, author_id, client_msg_id, text, revision: 1, deleted: false, reactions: [], pinned: null, previews: [] };
}

function changeOf(state: MessageState, event: ChannelEvent): Partial<MessageState> {
  switch (event.type) {
    case 'message.edited':
      return { text: event.text, revision: event.revision, previews: [] };
    case 'message.deleted':
      return { text: '', deleted: true, pinned: null, previews: [] };
    case 'reaction.added':
      return { reactions: [...new Set([...state.reactions, `${event.emoji} ${event.actor_id}`])].sort() };
    case 'reaction.removed':
      return { reactions: state.reactions.filter((reaction) => reaction !== `${event.emoji} ${event.actor_id}`) };
    case 'message.pinned':
      return { pinned: event.actor_id };
    case 'message.unpinned':
      return { pinned: null };
    case 'message.previewed':
      return { previews: event.previews.map(({ title }) => title) };
    case 'message.previews_removed':
      return { previews: [] };
    default:
      return {};
  }
}

/** What the search index of a channel is after these events, by message id: what stands, without what was deleted. */
export function foldIndex(events: readonly ChannelEvent[]): Map<string, IndexRow> {
  const rows = new Map<string, IndexRow>();
  for (const event of events) {
    if (event.type === 'message.created') rows.set(event.message_id, { id: event.message_id, author_id: event.actor_id, seq: event.seq, text: event.text });
    if (event.type === 'message.deleted') rows.delete(event.message_id);
    const row = event.type === 'message.edited' ? rows.get(event.message_id) : undefined;
    if (row && event.type === 'message.edited') rows.set(row.id, { ...row, seq: event.seq, text: event.text });
  }
  return rows;
}

/** What a consumer takes over of one key's records: a record whose position is not above the highest so far is a repetition. */
export function takenOver(records: readonly LogRecord[]): ChannelEvent[] {
  let highest = 0;
  return records.flatMap(({ position, event }) => {
    if (position <= highest) return [];
    highest = position;
    return [event];
  });
}
