import { eq, sql } from 'drizzle-orm';
import type { Channel, ChannelBody } from '../../protocol/api.ts';
import type { AuditAct } from '../../protocol/audit.ts';
import type { Outcome, Problem } from '../../protocol/errors.ts';
import type { NamedChannelKind } from '../../protocol/events.ts';
import { isClosedGeneral, isOpenGeneral } from '../../protocol/general.ts';
import type { Transaction } from '../client.ts';
import { errorState } from '../errors.ts';
import { channels } from '../schema/tables.ts';
import { refuseViewer, type Standing } from './access.ts';
import { recordAct } from './audit.ts';
import { findChannel, GENERAL_STAYS_OPEN, GENERAL_STAYS_PUBLIC } from './channels.ts';
import { appendDirectoryEvent } from './directory-events.ts';
import { FIXED, refuseManager, standingUnderLock } from './members.ts';

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

/** Closes a channel for all new messages, or opens it again; `conflict`: it is #general, which takes in whoever is new. Where it is so already nothing changes. The channel as it is then. */
export async function setArchived(tx: Transaction, request: ChannelRequest & { readonly archived: boolean }): Promise<Outcome<Channel>> {
  const found = await lockForManager(tx, request);
  if ('problem' in found || (found.ok.archived_at !== null) === request.archived) return found;
  if (request.archived && isOpenGeneral(found.ok)) return { problem: GENERAL_STAYS_OPEN };
  return writeChannel(tx, request, { archived_at: request.archived ? request.now : null }, [request.archived ? 'channel.archived' : 'channel.unarchived']);
}

/**
 * Gives a channel another name, topic or purpose, or makes it private or public; what is absent stays. `precondition_failed`: it has another version than `expected`;
 * `conflict`: the name is taken, whatever its case, or is that of #general, which stays public; `channel_archived`: open it first. Where nothing is new nothing changes.
 */
export async function changeChannel(tx: Transaction, request: ChannelRequest & { readonly expected: number }, body: ChannelBody): Promise<Outcome<Channel>> {
  const found = await lockFor(tx, request, (standing) => refuseChange(standing, body));
  if ('problem' in found) return found;
  const { ok: before } = found;
  if (before.version !== request.expected) return { problem: { code: 'precondition_failed' } };
  if (before.archived_at !== null) return { problem: { code: 'channel_archived' } };
  const { name = before.name, topic = before.topic, purpose = before.purpose, kind = before.kind } = body;
  const isRenamed = name !== before.name || topic !== before.topic || purpose !== before.purpose;
  if (!isRenamed && kind === before.kind) return found;
  if ((name !== before.name || kind !== before.kind) && isClosedGeneral({ name, kind })) return { problem: GENERAL_STAYS_PUBLIC };
  const acts = [...(isRenamed ? ['channel.updated' as const] : []), ...(kind === before.kind ? [] : [MADE[kind]])];
  try {
    return await tx.transaction(async (step) => {
      if (kind !== before.kind && kind === 'private') await withholdFromExports(step, request.channelId);
      return writeChannel(step, request, { name, topic, purpose, kind }, acts);
    });
  } catch (error) {
    if (errorState(error) === UNIQUE_VIOLATION) return { problem: { code: 'conflict', detail: 'a channel of this name exists' } };
    throw error;
  }
}

const UNIQUE_VIOLATION = '23505';

const MADE = { private: 'channel.made_private', public: 'channel.made_public' } as const satisfies Record<NamedChannelKind, AuditAct>;

/** What kind it gets is asked apart from the rest: an administrator who is a mere member may make a private channel public, but not rename it. */
function refuseChange(standing: Standing | undefined, { kind, ...rest }: ChannelBody): Problem | null {
  const isKindAsked = kind !== undefined && kind !== standing?.kind;
  const isRestAsked = Object.values(rest).some((value) => value !== undefined);
  return (isRestAsked || !isKindAsked ? refuseManager(standing) : null) ?? (isKindAsked ? refuseKind(standing, kind) : null);
}

/**
 * An administrator of the workspace has to be a member: into a private channel they have no right to look, so none to open it either; and one that they made private from
 * outside would be gone for them, and perhaps in nobody's hands.
 */
function refuseKind(standing: Standing | undefined, kind: NamedChannelKind): Problem | null {
  const problem = refuseViewer(standing);
  if (problem || !standing) return problem;
  const { my_role, user_role } = standing;
  if (standing.kind === 'direct') return FIXED;
  const isAdministrator = user_role === 'admin' && my_role !== null;
  if (user_role !== 'guest' && (isAdministrator || my_role === 'owner' || (my_role === 'admin' && kind === 'private'))) return null;
  const who = kind === 'public' ? 'an owner of the channel' : 'an owner or admin of the channel';
  return { code: 'forbidden', detail: `only ${who}, or an administrator who is a member, may make it ${kind}` };
}

/** An export of public channels that is under way goes on without it: its pages are read one by one, for a day. */
async function withholdFromExports(tx: Transaction, channelId: string): Promise<void> {
  await tx.execute(sql`DELETE FROM export_channels ec USING exports e WHERE e.id = ec.export_id AND NOT e.include_private AND ec.channel_id = ${channelId}`);
}

const lockForManager = (tx: Transaction, request: ChannelRequest): Promise<Outcome<Channel>> => lockFor(tx, request, refuseManager);

/** Only now that the row is locked is its version what it stays. */
async function lockFor(tx: Transaction, { credentialId, channelId }: ChannelRequest, refuse: (standing: Standing | undefined) => Problem | null): Promise<Outcome<Channel>> {
  const problem = refuse(await standingUnderLock(tx, credentialId, channelId));
  return problem ? { problem } : findChannel(tx, credentialId, channelId);
}

type Change = Partial<Pick<typeof channels.$inferInsert, 'name' | 'topic' | 'purpose' | 'kind' | 'archived_at'>>;

async function writeChannel(tx: Transaction, { credentialId, channelId, eventId, actorId, now, traceparent }: ChannelRequest, change: Change, acts: readonly AuditAct[]): Promise<Outcome<Channel>> {
  await tx.update(channels).set({ ...change, version: sql`${channels.version} + 1` }).where(eq(channels.id, channelId));
  const changed = await findChannel(tx, credentialId, channelId);
  if ('problem' in changed) return changed;
  const { id, kind, name, topic, purpose, archived_at, version } = changed.ok;
  const event = { type: 'channel.updated' as const, id: eventId, at: now.toISOString(), actor_id: actorId, channel: { id, kind, name, topic, purpose }, archived: archived_at !== null, version };
  await appendDirectoryEvent(tx, event, traceparent);
  for (const act of acts) await recordAct(tx, { act, target: ['channel', channelId] }, { actorId, credentialId });
  return changed;
}
