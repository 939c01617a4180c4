import type { InboxMemberChange, InboxNotice, InboxTelling } from '../../protocol/tellings.ts';
import { learnMembership, mergeBadge } from './badge-merge.ts';
import { withoutBadge } from './inbox-channels.ts';
import type { InboxState } from './inbox-state.ts';

/** Whether the user is looking at what this notice is about. */
export type IsInView = (notice: InboxNotice) => boolean;

/** Takes all of a telling, inside `state.commit`. What was taken before does nothing (G2). `now` in epoch milliseconds throughout. */
export function takeTelling(state: InboxState, { changes, notices, badges }: InboxTelling, isInView: IsInView, now: number): void {
  for (const change of changes) takeMemberChange(state, change, now);
  for (const notice of notices) takeNotice(state, notice, isInView, now);
  for (const badge of badges) {
    const known = state.channels.get(badge.channel_id);
    if (state.levels.admits(badge, known)) state.channels.put(mergeBadge(known, badge));
  }
}

/**
 * Applies a member change and announces it once: what is not above the announced version is a repetition. A change that comes late, after a newer
 * one was learned from Postgres, is still announced but does not change whether the user is a member.
 */
export function takeMemberChange(state: InboxState, { event_id, channel_id, actor_id, role, version }: InboxMemberChange, now: number): void {
  const known = state.channels.get(channel_id);
  if (version <= known.announced) return;
  const channel = { ...known, ...(version >= known.version && { role, version }), announced: version };
  state.channels.put(channel.role === null ? withoutBadge(channel) : channel);
  if (role === null) state.append({ type: 'channel.left', channel_id, actor_id }, now, event_id);
  else state.append({ type: 'channel.joined', channel_id, role, actor_id }, now, event_id);
}

/**
 * Each once, also one that comes late, after newer ones of its channel. Who has left is notified no more (G5). What is read, or before the user's eyes, is no
 * news: it passes for given, so that it stays decided when it is told again.
 */
function takeNotice(state: InboxState, notice: InboxNotice, isInView: IsInView, now: number): void {
  const { event_id, role, version, ...body } = notice;
  const known = learnMembership(state.channels.get(body.channel_id), { role, version });
  const { channel_id, channel_seq, pos } = body;
  if (known.role === null || channel_seq <= known.notified_seq || state.given.has(channel_id, channel_seq)) return;
  const forgotten = state.given.add(channel_id, channel_seq);
  state.channels.put({ ...known, notified_seq: forgotten ?? known.notified_seq });
  const isRead = pos !== null && pos <= known.read_pos;
  if (!isRead && !isInView(notice)) state.append({ type: 'message.notified', ...body }, now, event_id);
}
