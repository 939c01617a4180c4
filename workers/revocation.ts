import type { Context } from 'hono';
import type { RevokedAccess } from '../db/queries/deactivation.ts';
import type { AppEnv } from './env.ts';
import { ProblemError } from './problems.ts';
import { callRoom } from './room.ts';
import { settleAll } from './settle-all.ts';

/** Rooms told at a time. */
const TELLING = 50;

/**
 * Tells all rooms of the user, and the inbox, that credentials are revoked, before the answer (G5): their sockets are closed, and they are refused. Where
 * one cannot be told it throws `unavailable`, and a repetition tells all again.
 */
export async function endAccess(c: Context<AppEnv>, { user_id, credentials, channel_ids }: RevokedAccess): Promise<void> {
  const live = credentials.filter(({ expires_at }) => expires_at.getTime() > Date.now());
  const revoked = live.map(({ id, expires_at }) => ({ credential_id: id, expires_at: expires_at.getTime() }));
  if (revoked.length === 0) return;
  const inbox = c.env.INBOXES.getByName(user_id);
  const told = await Promise.all([
    settleAll(channel_ids, TELLING, (channelId) => callRoom(c.env, channelId, (room) => room.revokeCredentials(channelId, revoked))),
    settleAll(revoked, TELLING, ({ credential_id }) => inbox.revokeCredential(credential_id)),
  ]);
  const failed = told.flat().filter(({ status }) => status === 'rejected').length;
  if (failed === 0) return;
  console.warn(JSON.stringify({ level: 'warn', request_id: c.get('requestId'), event: 'access_not_ended', user_id, failed }));
  throw new ProblemError({ code: 'unavailable', detail: 'access has not ended everywhere: try again' });
}
