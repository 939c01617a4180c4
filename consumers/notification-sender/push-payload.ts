import type { PushedNotice } from '../../db/queries/push-sending.ts';
import { MAX_PUSH_AUTHOR, MAX_PUSH_TEXT, type PushPayload } from '../../protocol/push.ts';
import { isQuiet, reasonFor } from '../notifier/rules.ts';

export type Refusal = 'ended' | 'not_a_member' | 'deleted' | 'read' | 'quiet' | 'muted';

/**
 * Why nobody is to be told of a notice any more, or null. It was meant for its user when it was noted; since then they may have read it, or want to be left in peace. By `now`, in
 * epoch milliseconds, not by the message's time: a push that comes late must not wake anybody.
 */
export function refusalOf(notice: PushedNotice, now: number): Refusal | null {
  if (!notice.is_live) return 'ended';
  if (!notice.is_member) return 'not_a_member';
  if (notice.is_deleted) return 'deleted';
  if (notice.is_read) return 'read';
  if (notice.quiet || isQuiet(notice, now)) return 'quiet';
  return reasonFor({ reasons: [notice.reason], level: notice.level, is_muted: notice.is_muted }) === null ? 'muted' : null;
}

export function payloadOf({ id, reason, channel_id, channel_name, message_id, thread_id, author, text, created_at }: PushedNotice): PushPayload {
  return { id, reason, channel_id, channel_name, message_id, thread_id, author: cut(author, MAX_PUSH_AUTHOR), text: cut(text, MAX_PUSH_TEXT), created_at };
}

/** At most `most` UTF-16 code units, and no half of a pair at the end. */
function cut(text: string, most: number): string {
  if (text.length <= most) return text;
  const head = text.slice(0, most - 1);
  return `${head.isWellFormed() ? head : head.slice(0, -1)}…`;
}
