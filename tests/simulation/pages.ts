import type { Message, MessagePage, MyChannel } from '../../protocol/api.ts';
import type { PageQuery } from '../../client/http.ts';
import type { MessageState } from '../support/fold.ts';
import type { StoredChannel } from './stored-channel.ts';

const PAGE = 8;

/** The channel as a bootstrap lists it. */
export function channelEntry(stored: StoredChannel): MyChannel {
  const { epoch, drained_seq } = stored.place;
  const fixed = { kind: 'public', name: 'general', topic: '', purpose: '', created_at: '', archived_at: null, version: 1, my_role: 'member' } as const;
  return { id: stored.channelId, ...fixed, epoch, as_of_seq: drained_seq, last_pos: stored.drainedPos, read_pos: 0 };
}

/** A page of history, or of a thread, as of what is drained. Its cursors are the `pos` or `tpos` of its ends. */
export function messagePage(stored: StoredChannel, rootId: string | null, { before, after, around }: PageQuery): MessagePage {
  const all = [...stored.messages.values()].filter(({ thread_id }) => thread_id === rootId);
  const start = after === undefined ? Math.max(0, endOf(all, before, around) - PAGE) : all.filter((state) => order(state) <= Number(after)).length;
  const end = after === undefined ? endOf(all, before, around) : Math.min(all.length, start + PAGE);
  return {
    data: all.slice(start, end).map((state) => messageOf(stored, state)),
    epoch: stored.place.epoch,
    as_of_seq: stored.place.drained_seq,
    before_cursor: start > 0 ? String(orderAt(all, start)) : null,
    after_cursor: end < all.length ? String(orderAt(all, end - 1)) : null,
    users: [],
  };
}

export const order = ({ pos, tpos }: { pos: number | null; tpos: number | null }): number => pos ?? tpos ?? 0;

const orderAt = (all: readonly MessageState[], index: number): number => {
  const state = all[index];
  return state === undefined ? 0 : order(state);
};

function endOf(all: readonly MessageState[], before: string | undefined, around: string | undefined): number {
  if (before !== undefined) return all.filter((state) => order(state) < Number(before)).length;
  const middle = around === undefined ? -1 : all.findIndex(({ id }) => id === around);
  return middle < 0 ? all.length : Math.min(all.length, middle + PAGE / 2);
}

/** A message as the API shows it. */
export function messageOf(stored: StoredChannel, state: MessageState): Message {
  const replies = [...stored.messages.values()].filter(({ thread_id, deleted }) => thread_id === state.id && !deleted);
  const about = stored.events.filter((event) => 'message_id' in event && event.message_id === state.id);
  const { id, seq, pos, thread_id, tpos, author_id, client_msg_id, text, revision, pinned, previews } = state;
  const pin = pinned === null ? undefined : stored.pinOf(id);
  const shown = previews.length === 0 ? undefined : stored.previewsOf(id);
  return {
    id, seq, pos, thread_id, tpos, author_id, client_msg_id, text, revision,
    channel_id: stored.channelId,
    origin: null,
    created_at: about[0]?.at ?? '',
    edited_at: about.findLast(({ type }) => type === 'message.edited')?.at ?? null,
    deleted_at: about.find(({ type }) => type === 'message.deleted')?.at ?? null,
    reply_count: replies.length,
    reactions: reactionsOf(state.reactions),
    ...(pin && { pinned: { at: pin.at, by: pin.actor_id } }),
    ...(shown && { previews: shown }),
  };
}

function reactionsOf(pairs: readonly string[]): Message['reactions'] {
  const byEmoji = new Map<string, string[]>();
  for (const pair of pairs) {
    const [emoji = '', user = ''] = pair.split(' ');
    byEmoji.set(emoji, [...(byEmoji.get(emoji) ?? []), user]);
  }
  return [...byEmoji].map(([emoji, user_ids]) => ({ emoji, user_ids }));
}
