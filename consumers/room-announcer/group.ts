import type postgres from 'postgres';
import { findChannelsOf, findChannelStandings, findRevokedCredentials, findStandingChanges } from '../../db/queries/announcements.ts';
import { z } from 'zod';
import { directoryEventSchema } from '../../protocol/directory-events.ts';
import { fileEventSchema } from '../../protocol/file-events.ts';
import { ceType } from '../../protocol/topics.ts';
import type { ConsumerGroup } from '../runtime/group.ts';
import { type AnnouncedEvent, announcementsOf, channelUpdates, fileChanges, loggedChanges, memberEvents, removalsOf, revokedBy } from './batch.ts';
import type { Announcer } from './rooms.ts';

const TYPES = ['channel.updated', 'channel.member_added', 'channel.member_removed', 'channel.message_removal_ordered', 'user.updated', 'user.credential_revoked', 'file.updated', 'file.deleted'] as const;

/**
 * Repeats to rooms and inboxes what the Worker told them after a directory write, so that a call that was lost heals (G5): who is a member, and in which role;
 * which credentials are void; what the channel is, if it has changed; which messages are to be removed. And tells rooms what has become of their files: that nobody has told them before. Inboxes hear of memberships from the group `notifier`. Rooms and inboxes pass over what they have heard.
 *
 * Told is what still stands in Postgres, and nothing that was undone since: a removed member is not let in between a late joining and the removal behind it.
 * Of a channel it is the version that Postgres has: the event of a later one is on its way.
 */
export const roomAnnouncer = (announcer: Announcer): ConsumerGroup<AnnouncedEvent> => ({
  id: 'room-announcer',
  topics: ['channel.events', 'user.events', 'file.events'],
  types: new Set(TYPES.map((type) => ceType(type))),
  schema: z.union([directoryEventSchema, fileEventSchema]),
  apply: (tx, events) => announce(tx, announcer, events.map(({ event }) => event)),
});

async function announce(tx: postgres.TransactionSql, announcer: Announcer, events: readonly AnnouncedEvent[]): Promise<void> {
  const changes = memberEvents(events);
  const standing = await findStandingChanges(tx, loggedChanges(changes));
  const updates = channelUpdates(events);
  const channels = await findChannelStandings(tx, [...new Set(updates.map(({ channel }) => channel.id))]);
  const revoked = await findRevokedCredentials(tx, revokedBy(events));
  const memberships = await findChannelsOf(tx, [...new Set(revoked.map(({ user_id }) => user_id))]);
  await announcer.announce(announcementsOf({ changes: changes.filter((_, n) => standing.has(n)), updates, channels, revoked, memberships, files: fileChanges(events), removals: removalsOf(events) }));
}
