import type { SqlDriver } from '../log/sql-driver.ts';
import type { InboxRecord } from './inbox-record.ts';
import type { PresenceTable } from './presence-table.ts';
import { InboxState } from './inbox-state.ts';

const UNCOUNTED = { epoch: 0, as_of_seq: 0, last_pos: 0, unread: 0, mentions: 0 };

/** Fills an object that knows nothing from Postgres. False: there is no such user, and nothing is stored. Badges come with the first socket. */
export async function bootstrapInbox(sql: SqlDriver, record: Pick<InboxRecord, 'readUser'>, presences: PresenceTable, userId: string): Promise<boolean> {
  const user = await record.readUser();
  if (user === null) return false;
  const { epoch, fence, drained_seq: seq, awake_version: awakeVersion, notices_read_seq: noticesReadSeq } = user.claimed;
  InboxState.create(sql, { userId, epoch, fence, seq, awakeVersion, noticesReadSeq }, (channels) => {
    // No event was ever logged, so none can have announced these memberships: let the announcements still on their way do it.
    for (const channel of user.channels) channels.put({ ...channel, announced: seq === 0 ? 0 : channel.version, ...UNCOUNTED });
  });
  if (user.wish.version > presences.row.wish.version) presences.save({ wish: user.wish });
  return true;
}
