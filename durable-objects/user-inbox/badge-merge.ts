import { MAX_UNREAD } from '../../protocol/limits.ts';
import type { InboxBadge } from '../../protocol/tellings.ts';
import { isLaterPlace } from '../../protocol/read-places.ts';
import type { InboxChannel } from './inbox-channels.ts';

/** Learns a membership that somebody else has read in Postgres, if it is newer than what is known. It is announced by whoever changes it. */
export function learnMembership(known: InboxChannel, told: Pick<InboxBadge, 'role' | 'version'>): InboxChannel {
  return told.version > known.version ? { ...known, role: told.role, version: told.version } : known;
}

/**
 * Takes the counts of a newer moment. Snapshots of Postgres come one after the other, so of two the one with the higher `(epoch, as_of_seq)` and the
 * later marker is the later. Where the inbox's own marker is ahead of the one that was counted with, Postgres does not have it yet: either
 * everything is read, or the channel will be counted again as soon as it does (the marker's event has that told).
 */
export function mergeBadge(known: InboxChannel, told: InboxBadge): InboxChannel {
  const channel = learnMembership(known, told);
  if (channel.role === null || isOlder(told, channel)) return channel;
  const { epoch, as_of_seq, last_pos, read_pos, read_generation = 0, unread, mentions } = told;
  if (!isLaterPlace(placeOf(channel), { generation: read_generation, pos: read_pos })) return { ...channel, read_pos, read_generation, epoch, as_of_seq, last_pos, unread, mentions };
  return channel.read_pos >= last_pos ? { ...channel, epoch, as_of_seq, last_pos, unread: 0, mentions: 0 } : channel;
}

/** Of a channel's log, at which it was counted. */
export type Moment = Pick<InboxBadge, 'epoch' | 'as_of_seq'>;
export const isOlder = (told: Moment, known: Moment): boolean => told.epoch < known.epoch || (told.epoch === known.epoch && told.as_of_seq < known.as_of_seq);

/** The marker of a channel. */
export const placeOf = ({ read_generation: generation, read_pos: pos }: InboxChannel) => ({ generation, pos });

/** Messages from `pos` on were marked as unread. Until they are counted, once Postgres has the marker, there are at most as many as have been sent since. */
export function moveBack(known: InboxChannel, pos: number): InboxChannel {
  const read_pos = pos - 1;
  const unread = Math.max(known.unread, Math.min(MAX_UNREAD, known.last_pos - read_pos));
  return { ...known, read_pos, read_generation: known.read_generation + 1, unread };
}

/** The marker was moved up to `pos`. What is left, where it is not nothing, is at most this; it is counted once Postgres has the marker. */
export function moveMarker(known: InboxChannel, pos: number): InboxChannel {
  const unread = Math.min(known.unread, Math.max(0, known.last_pos - pos));
  return { ...known, read_pos: pos, unread, mentions: Math.min(known.mentions, unread) };
}
