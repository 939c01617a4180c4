import { eq, sql } from 'drizzle-orm';
import type { Profile, ProfileBody } from '../../protocol/api.ts';
import type { Outcome } from '../../protocol/errors.ts';
import type { Transaction } from '../client.ts';
import { users } from '../schema/tables.ts';
import { appendDirectoryEvent } from './directory-events.ts';
import { changeHandle } from './handles.ts';
import { lockSettingsOf } from './notification-settings.ts';
import { findMyProfile } from './users.ts';

export interface ProfileRequest {
  readonly credentialId: string;
  readonly userId: string;
  /** The version that is changed. */
  readonly expected: number;
  /** Of the event that tells of the change. */
  readonly eventId: string;
  readonly now: Date;
  readonly traceparent: string | null;
}

/** The caller changes what others see of them. `precondition_failed`: it has another version; `conflict`: the handle is another's, or was. Where nothing is new nothing changes. */
export async function changeProfile(tx: Transaction, request: ProfileRequest, body: ProfileBody): Promise<Outcome<Profile>> {
  await lockSettingsOf(tx, request.userId);
  const found = await findMyProfile(tx, request.credentialId);
  if ('problem' in found) return found;
  const { ok: before } = found;
  if (before.version !== request.expected) return { problem: { code: 'precondition_failed' } };
  const after = { ...before, ...given(body), version: before.version + 1 };
  if (FIELDS.every((field) => after[field] === before[field])) return found;
  const problem = after.handle === before.handle ? null : await changeHandle(tx, { userId: before.id, before: before.handle, handle: after.handle, now: request.now });
  return problem ? { problem } : { ok: await writeProfile(tx, request, before, after) };
}

const FIELDS = ['handle', 'display_name', 'title', 'pronouns', 'time_zone'] as const;

/** What is absent is not there at all, rather than undefined. */
const given = (body: ProfileBody): Partial<Profile> => Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));

async function writeProfile(tx: Transaction, { eventId, now, traceparent }: ProfileRequest, before: Profile, after: Profile): Promise<Profile> {
  const { id, handle, display_name, role, title, pronouns, time_zone, version } = after;
  const isSelfNamed = display_name === before.display_name ? sql`${users.is_self_named}` : sql`true`;
  await tx.update(users).set({ display_name, title, pronouns, time_zone, version, is_self_named: isSelfNamed }).where(eq(users.id, id));
  await appendDirectoryEvent(tx, { type: 'user.updated', id: eventId, at: now.toISOString(), actor_id: id, user: { id, handle, display_name, role }, version }, traceparent);
  return after;
}
