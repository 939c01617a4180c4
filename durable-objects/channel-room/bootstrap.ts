import type { MessageIndexRow } from '../../db/queries/room-bootstrap.ts';
import type { SqlDriver } from '../log/sql-driver.ts';
import { AccessTable } from './access-table.ts';
import { Conversation } from './conversation.ts';
import { fingerprint } from './hash53.ts';
import { type IndexedMessage, MessageIndex } from './message-index.ts';
import { PinIndex } from './pin-index.ts';
import { PreviewIndex } from './preview-index.ts';
import type { RoomRecord, StoredChannel } from './room-record.ts';

/**
 * Fills an object that knows nothing from Postgres. False: there is no such channel, and nothing is stored. It may die anywhere: until
 * the last step the object still knows nothing, and the next attempt starts over.
 */
export async function bootstrap(sql: SqlDriver, record: Pick<RoomRecord, 'readChannel'>, channelId: string): Promise<boolean> {
  const claimed = await record.readChannel(channelId, (channel) => fill(sql, channel));
  if (claimed === null) return false;
  const { kind, archived, version, epoch, fence, drained_seq: seq, drained_pos: pos } = claimed;
  sql.transaction(() => {
    // No event was ever logged, so none can have announced these members: let the announcements that are still on their way do it.
    if (seq === 0) new AccessTable(sql).forgetAnnouncements();
    Conversation.complete(sql, { channelId, kind, standing: { archived, version }, epoch, fence, seq, pos });
  });
  return true;
}

async function fill(sql: SqlDriver, channel: StoredChannel): Promise<void> {
  Conversation.prepare(sql);
  const access = new AccessTable(sql);
  const messages = new MessageIndex(sql);
  for await (const page of channel.members()) {
    sql.transaction(() => page.forEach(({ user_id, role, version }) => access.setMembership(user_id, { role, version, announced: version })));
  }
  for await (const page of channel.messages()) {
    sql.transaction(() => page.forEach((row) => messages.insert(indexed(row))));
    messages.sent.merge('due');
  }
  messages.sent.merge('all');
  for await (const page of channel.reactions()) sql.transaction(() => page.forEach((row) => messages.addReaction(row)));
  const pins = new PinIndex(sql);
  for await (const page of channel.pins()) sql.transaction(() => page.forEach((row) => pins.add(row)));
  const previews = new PreviewIndex(sql);
  for await (const page of channel.previews()) sql.transaction(() => page.forEach((row) => previews.set({ ...row, fingerprint: null })));
}

function indexed({ text, deleted, ...row }: MessageIndexRow): IndexedMessage {
  return { ...row, deleted: deleted ? 1 : 0, fingerprint: text === null ? null : fingerprint(text, row.thread_id) };
}
