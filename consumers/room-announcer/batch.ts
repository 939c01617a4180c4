import type { ChannelStandingRow, LoggedChange, MembershipRow, RevokedCredentialRow, RevokedOf } from '../../db/queries/announcements.ts';
import type { Announcement, RoomAnnouncement } from '../../protocol/announcements.ts';
import type { DirectoryEvent } from '../../protocol/directory-events.ts';
import type { FileEvent } from '../../protocol/file-events.ts';

/** All that the group reads. */
export type AnnouncedEvent = DirectoryEvent | FileEvent;

export type MemberEvent = Extract<DirectoryEvent, { type: 'channel.member_added' | 'channel.member_removed' }>;

const isMemberEvent = (event: AnnouncedEvent): event is MemberEvent => event.type === 'channel.member_added' || event.type === 'channel.member_removed';

/** The channel's maker, whom the room learns as it opens: nobody has told it of them before, and it says so to nobody. */
const isMaker = (event: MemberEvent): boolean => event.type === 'channel.member_added' && event.role === 'owner' && event.version === 1 && event.user_id === event.actor_id;

/** The member changes of a batch that rooms are to hear of, in order. */
export const memberEvents = (events: readonly AnnouncedEvent[]): MemberEvent[] => events.filter(isMemberEvent).filter((event) => !isMaker(event));

export const loggedChanges = (events: readonly MemberEvent[]): LoggedChange[] =>
  events.map(({ channel_id, user_id, version }, n) => ({ n, channel_id, user_id, version }));

export type ChannelUpdate = Extract<DirectoryEvent, { type: 'channel.updated' }>;

export const channelUpdates = (events: readonly AnnouncedEvent[]): ChannelUpdate[] => events.filter((event) => event.type === 'channel.updated');

/** Whose credentials the events of a batch have made void. */
export function revokedBy(events: readonly AnnouncedEvent[]): RevokedOf {
  const users = new Set<string>();
  const credentials = new Set<string>();
  for (const event of events) {
    if (event.type === 'user.updated' && event.deactivated === true) users.add(event.user.id);
    if (event.type === 'user.credential_revoked') credentials.add(event.credential_id);
  }
  return { users: [...users], credentials: [...credentials] };
}

/** What Postgres says to a batch. */
export interface Findings {
  readonly changes: readonly MemberEvent[];
  readonly updates: readonly ChannelUpdate[];
  /** Those of the updates. */
  readonly channels: readonly ChannelStandingRow[];
  readonly revoked: readonly RevokedCredentialRow[];
  /** Of the users of `revoked`. */
  readonly memberships: readonly MembershipRow[];
  readonly files: readonly FileEvent[];
  readonly removals: readonly RemovalEvent[];
}

type RemovalEvent = Extract<DirectoryEvent, { type: 'channel.message_removal_ordered' }>;

export const removalsOf = (events: readonly AnnouncedEvent[]): RemovalEvent[] =>
  events.flatMap((event) => (event.type === 'channel.message_removal_ordered' ? [event] : []));

/** The changes of files that rooms are to hear of, in order: an upload is told by the message that shows it. */
export const fileChanges = (events: readonly AnnouncedEvent[]): FileEvent[] =>
  events.flatMap((event) => (event.type === 'file.updated' || event.type === 'file.deleted' ? [event] : []));

/** By room, each once; then by inbox. */
export function announcementsOf({ changes, updates, channels, revoked, memberships, files, removals }: Findings): Announcement[] {
  const rooms = new Map<string, RoomAnnouncement>();
  const roomOf = (channel_id: string): RoomAnnouncement => {
    const room = rooms.get(channel_id) ?? { to: 'room' as const, channel_id, changes: [], revoked: [], channel: null };
    rooms.set(channel_id, room);
    return room;
  };
  for (const change of changes) roomOf(change.channel_id).changes.push(changeOf(change));
  for (const row of channels) {
    const update = updates.find(({ channel, version }) => channel.id === row.channel_id && version === row.version);
    if (update) roomOf(row.channel_id).channel = standingOf(update, row);
  }
  for (const { channel_id, user_id } of memberships) {
    for (const { credential_id, expires_at } of revoked.filter((row) => row.user_id === user_id)) roomOf(channel_id).revoked.push({ credential_id, expires_at });
  }
  for (const event of files) (roomOf(event.file.channel_id).files ??= []).push(fileNewsOf(event));
  for (const { channel_id, message_id, actor_id } of removals) (roomOf(channel_id).removals ??= []).push({ message_id, actor_id });
  return [...rooms.values(), ...revoked.map(({ user_id, credential_id }) => ({ to: 'inbox' as const, user_id, credential_id }))];
}

function standingOf({ id: event_id, actor_id }: ChannelUpdate, { version, name, topic, purpose, kind, archived_at }: ChannelStandingRow): NonNullable<RoomAnnouncement['channel']> {
  return { archived: archived_at !== null, version, change: { event_id, actor_id, name, topic, purpose, archived_at, kind } };
}

function changeOf(event: MemberEvent): RoomAnnouncement['changes'][number] {
  const { id: event_id, user_id, actor_id, version } = event;
  return { event_id, user_id, actor_id, version, role: event.type === 'channel.member_added' ? event.role : null };
}

function fileNewsOf({ type, id: event_id, actor_id, version, file }: FileEvent): NonNullable<RoomAnnouncement['files']>[number] {
  if (type === 'file.deleted') return { event_id, file_id: file.id, actor_id, version, status: 'deleted', thumbnails: [] };
  return { event_id, file_id: file.id, actor_id, version, status: file.status, thumbnails: file.thumbnails };
}
