import { eq, sql } from 'drizzle-orm';
import type { Channel } from '../../protocol/api.ts';
import type { Outcome } from '../../protocol/errors.ts';
import type { Transaction } from '../client.ts';
import { channels } from '../schema/tables.ts';
import { recordAct } from './audit.ts';
import { findChannel } from './channels.ts';
import { appendDirectoryEvent } from './directory-events.ts';
import { refuseManager, standingUnderLock } from './members.ts';

export interface ArchiveRequest {
  readonly credentialId: string;
  readonly actorId: string;
  readonly channelId: string;
  readonly archived: boolean;
  /** Of the event that tells of the change. */
  readonly eventId: string;
  readonly now: Date;
  readonly traceparent: string | null;
}

/** An owner or admin closes a channel for all new messages, or opens it again. Where it is so already nothing changes. The channel as it is then. */
export async function setArchived(tx: Transaction, request: ArchiveRequest): Promise<Outcome<Channel>> {
  const standing = await standingUnderLock(tx, request.credentialId, request.channelId);
  const problem = refuseManager(standing);
  if (problem) return { problem };
  if (standing?.archived !== request.archived) await writeArchived(tx, request);
  return findChannel(tx, request.credentialId, request.channelId);
}

async function writeArchived(tx: Transaction, { channelId, archived, eventId, actorId, credentialId, now, traceparent }: ArchiveRequest): Promise<void> {
  const [row] = await tx
    .update(channels)
    .set({ archived_at: archived ? now : null, version: sql`${channels.version} + 1` })
    .where(eq(channels.id, channelId))
    .returning({ id: channels.id, kind: channels.kind, name: channels.name, topic: channels.topic, version: channels.version });
  if (row === undefined || row.kind === 'direct') throw new Error('a channel that has managers is public or private');
  const { version, kind, name, ...rest } = row;
  const channel = { ...rest, kind, name: name ?? '' };
  await appendDirectoryEvent(tx, { type: 'channel.updated', id: eventId, at: now.toISOString(), actor_id: actorId, channel, archived, version }, traceparent);
  await recordAct(tx, { act: archived ? 'channel.archived' : 'channel.unarchived', target: ['channel', channelId] }, { actorId, credentialId });
}
