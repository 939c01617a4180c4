import type { Context } from 'hono';
import type { InboxNote } from '../protocol/inbox-events.ts';
import type { AppEnv } from './env.ts';
import { callInbox } from './room.ts';

/** As `noteInInboxOf`, for the caller. */
export function noteInInbox(c: Context<AppEnv>, note: InboxNote, version: number): void {
  noteInInboxOf(c, c.get('identity').actor.user_id, note, version);
}

/**
 * Has the user's inbox tell their devices of a change of theirs that is committed. The answer does not wait for it, and where it fails the change stands: a device that did not hear of it
 * reads it when it next reads.
 */
export function noteInInboxOf(c: Context<AppEnv>, userId: string, note: InboxNote, version: number): void {
  const noting = callInbox(c.env, userId, (inbox) => inbox.note(userId, note, version));
  const { channel_id, type } = note;
  const warn = (error: unknown): void => console.warn(JSON.stringify({ level: 'warn', request_id: c.get('requestId'), event: 'not_noted', type, channel_id, error: String(error) }));
  c.executionCtx.waitUntil(noting.catch(warn));
}
