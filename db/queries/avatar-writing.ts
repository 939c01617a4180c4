import { sql } from 'drizzle-orm';
import type { NamedUser } from '../../protocol/api.ts';
import type { Transaction } from '../client.ts';
import { appendDirectoryEvent } from './directory-events.ts';

export interface AvatarChange {
  readonly userId: string;
  readonly actorId: string;
  /** Of the event that tells of the change. */
  readonly eventId: string;
  readonly now: Date;
  readonly traceparent: string | null;
}

type Changed = NamedUser & { readonly [column: string]: unknown; readonly version: number };

/** Gives a user another picture, or none, with `user.updated`; `only`: where it is this one now. Whether anything changed. */
export async function writeAvatar(tx: Transaction, change: AvatarChange, fileId: string | null, only: string | null = null): Promise<boolean> {
  const { userId, actorId: actor_id, eventId: id, now, traceparent } = change;
  const [changed] = await tx.execute<Changed>(sql`
    UPDATE users u SET avatar_file_id = ${fileId}::uuid, version = u.version + 1
    WHERE u.id = ${userId} AND u.avatar_file_id IS DISTINCT FROM ${fileId}::uuid AND (${only}::uuid IS NULL OR u.avatar_file_id = ${only}::uuid)
    RETURNING u.id, u.handle, u.display_name, u.role, u.version`);
  if (!changed) return false;
  const { version, ...user } = changed;
  await appendDirectoryEvent(tx, { type: 'user.updated', id, at: now.toISOString(), actor_id, user, version }, traceparent);
  return true;
}
