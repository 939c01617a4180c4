import { uuidv7 } from 'uuidv7';
import { describe, expect, it } from 'vitest';
import type { DirectoryEvent } from '../../protocol/directory-events.ts';
import type { FileEvent } from '../../protocol/file-events.ts';
import { announcementsOf, type ChannelUpdate, fileChanges, loggedChanges, type MemberEvent, memberEvents, revokedBy } from './batch.ts';

const [ROOM, OTHER, ADA, BOB, EVE] = [uuidv7(), uuidv7(), uuidv7(), uuidv7(), uuidv7()];
const FILE = {
  id: uuidv7(), channel_id: ROOM, uploader_id: ADA, name: 'a.png', media_type: 'image/png', size: 7, sha256: '0'.repeat(64), thumbnails: [{ size: 320, width: 320, height: 200 }], created_at: new Date().toISOString(),
};
const DETAILS = { name: 'engines', topic: 'all', purpose: 'that turns', archived_at: new Date().toISOString(), kind: 'private' as const };
const base = (actor_id: string) => ({ id: uuidv7(), at: new Date().toISOString(), actor_id });

const added = (user_id: string, version: number, role: 'owner' | 'member' = 'member', actor = ADA, channel_id = ROOM): MemberEvent => ({
  ...base(actor), type: 'channel.member_added', channel_id, user_id, role, version,
});
const removed = (user_id: string, version: number): MemberEvent => ({ ...base(ADA), type: 'channel.member_removed', channel_id: ROOM, user_id, version });
const updated = (id: string, deactivated?: boolean): DirectoryEvent => ({
  ...base(ADA), type: 'user.updated', version: 2, user: { id, handle: 'u', display_name: 'U', role: 'member' }, ...(deactivated !== undefined && { deactivated }),
});

describe('what a batch of directory events asks for', () => {
  it('is every change of a member list, but that a channel has its maker', () => {
    const changes = [added(BOB, 2), added(BOB, 3, 'owner'), removed(BOB, 4), added(BOB, 1, 'owner', ADA), added(ADA, 1)];
    const events = [added(ADA, 1, 'owner'), ...changes, updated(ADA)];
    expect(memberEvents(events)).toEqual(changes);
    expect(loggedChanges(changes).map(({ n, version }) => [n, version])).toEqual([[0, 2], [1, 3], [2, 4], [3, 1], [4, 1]]);
  });

  it('is every credential of who was deactivated, and those of which somebody signed out', () => {
    const [credential] = [uuidv7()];
    const signedOut: DirectoryEvent = { ...base(EVE), type: 'user.credential_revoked', user_id: EVE, credential_id: credential };
    expect(revokedBy([updated(ADA), updated(BOB, true), updated(EVE, false), signedOut, updated(BOB, true)])).toEqual({ users: [BOB], credentials: [credential] });
  });
});

describe('announcements', () => {
  it('name each room once, with its changes in order and the credentials that may be in use there', () => {
    const [first, second, elsewhere] = [added(BOB, 2), removed(BOB, 3), added(BOB, 9, 'owner', EVE, OTHER)];
    const revoked = [{ user_id: EVE, credential_id: uuidv7(), expires_at: 5 }, { user_id: ADA, credential_id: uuidv7(), expires_at: 6 }];
    const memberships = [{ channel_id: ROOM, user_id: EVE }, { channel_id: ROOM, user_id: ADA }, { channel_id: OTHER, user_id: ADA }];
    const [renamedTo, later] = [uuidv7(), uuidv7()];
    const renamed = (version: number): ChannelUpdate => ({
      ...base(EVE), id: version === 2 ? renamedTo : later, type: 'channel.updated', channel: { id: OTHER, kind: 'public', name: 'x', topic: '', purpose: '' }, archived: false, version,
    });
    const [eves, adas] = revoked.map(({ credential_id, expires_at }) => ({ credential_id, expires_at }));
    const common = ({ id: event_id, user_id, actor_id, version }: MemberEvent) => ({ event_id, user_id, actor_id, version });
    expect(announcementsOf({ changes: [first, elsewhere, second], updates: [renamed(1), renamed(2)], channels: [{ channel_id: OTHER, ...DETAILS, version: 2 }], revoked, memberships, files: [], removals: [] })).toEqual([
      { to: 'room', channel_id: ROOM, changes: [{ ...common(first), role: 'member' }, { ...common(second), role: null }], revoked: [eves, adas], channel: null },
      { to: 'room', channel_id: OTHER, changes: [{ ...common(elsewhere), role: 'owner' }], revoked: [adas], channel: { archived: true, version: 2, change: { event_id: renamedTo, actor_id: EVE, ...DETAILS } } },
      { to: 'inbox', user_id: EVE, credential_id: eves?.credential_id },
      { to: 'inbox', user_id: ADA, credential_id: adas?.credential_id },
    ]);
  });

  it('tell rooms what has become of their files, but not that they were uploaded', () => {
    const event = (type: FileEvent['type'], version: number): FileEvent => ({ ...base(ADA), type, version, file: { ...FILE, status: 'clean' } });
    const [uploaded, updated, deleted] = [event('file.uploaded', 1), event('file.updated', 2), event('file.deleted', 3)];
    const [room, ...more] = announcementsOf({ changes: [], updates: [], channels: [], revoked: [], memberships: [], files: fileChanges([uploaded, updated, deleted]), removals: [] });
    expect(more).toEqual([]);
    const common = { file_id: FILE.id, actor_id: ADA };
    expect(room).toMatchObject({ to: 'room', channel_id: ROOM, files: [
      { ...common, event_id: updated.id, status: 'clean', thumbnails: FILE.thumbnails, version: 2 },
      { ...common, event_id: deleted.id, status: 'deleted', thumbnails: [], version: 3 },
    ] });
  });
});
