import { eq, sql } from 'drizzle-orm';
import type { Channel, ChannelBody } from '../../protocol/api.ts';
import type { AuditAct } from '../../protocol/audit.ts';
import type { Outcome } from '../../protocol/errors.ts';
import type { Transaction } from '../client.ts';
import { errorState } from '../errors.ts';
import { channels } from '../schema/tables.ts';
import { recordAct } from './audit.ts';
import { findChannel } from './channels.ts';
import { appendDirectoryEvent } from './directory-events.ts';
import { refuseManager, standingUnderLock } from './members.ts';

/** What whoever manages a channel asks of it. */
export interface ChannelRequest {
  readonly credentialId: string;
  readonly actorId: string;
  readonly channelId: string;
  /** Of the event that tells of the change. */
  readonly eventId: string;
  readonly now: Date;
  readonly traceparent: string | null;
}

/** Closes a channel for all new messages, or opens it again. Where it is so already nothing changes. The channel as it is then. */
export async function setArchived(tx: Transaction, request: ChannelRequest & { readonly archived: boolean }): Promise<Outcome<Channel>> {
  const found = await lockForManager(tx, request);
  if ('problem' in found || (found.ok.archived_at !== null) === request.archived) return found;
  return writeChannel(tx, request, { archived_at: request.archived ? request.now : null }, request.archived ? 'channel.archived' : 'channel.unarchived');
}

/**
 * Gives a channel another name, topic or purpose; what is absent stays. `precondition_failed`: it has another version than `expected`; `conflict`: the name
 * is taken, whatever its case; `channel_archived`: open it first. Where nothing is new nothing changes.
 */
export async function changeChannel(tx: Transaction, request: ChannelRequest & { readonly expected: number }, body: ChannelBody): Promise<Outcome<Channel>> {
  const found = await lockForManager(tx, request);
  if ('problem' in found) return found;
  if (found.ok.version !== request.expected) return { problem: { code: 'precondition_failed' } };
  if (found.ok.archived_at !== null) return { problem: { code: 'channel_archived' } };
  const { name = found.ok.name, topic = found.ok.topic, purpose = found.ok.purpose } = body;
  if (name === found.ok.name && topic === found.ok.topic && purpose === found.ok.purpose) return found;
  try {
    return await tx.transaction((step) => writeChannel(step, request, { name, topic, purpose }, 'channel.updated'));
  } catch (error) {
    if (errorState(error) === UNIQUE_VIOLATION) return { problem: { code: 'conflict', detail: 'a channel of this name exists' } };
    throw error;
  }
}

const UNIQUE_VIOLATION = '23505';

/** Only now that the row is locked is its version what it stays. */
async function lockForManager(tx: Transaction, { credentialId, channelId }: ChannelRequest): Promise<Outcome<Channel>> {
  const problem = refuseManager(await standingUnderLock(tx, credentialId, channelId));
  return problem ? { problem } : findChannel(tx, credentialId, channelId);
}

type Change = Partial<Pick<typeof channels.$inferInsert, 'name' | 'topic' | 'purpose' | 'archived_at'>>;

async function writeChannel(tx: Transaction, { credentialId, channelId, eventId, actorId, now, traceparent }: ChannelRequest, change: Change, act: AuditAct): Promise<Outcome<Channel>> {
  await tx.update(channels).set({ ...change, version: sql`${channels.version} + 1` }).where(eq(channels.id, channelId));
  const changed = await findChannel(tx, credentialId, channelId);
  if ('problem' in changed) return changed;
  const { id, kind, name, topic, purpose, archived_at, version } = changed.ok;
  const event = { type: 'channel.updated' as const, id: eventId, at: now.toISOString(), actor_id: actorId, channel: { id, kind, name, topic, purpose }, archived: archived_at !== null, version };
  await appendDirectoryEvent(tx, event, traceparent);
  await recordAct(tx, { act, target: ['channel', channelId] }, { actorId, credentialId });
  return changed;
}
