import type { Context } from 'hono';
import type { DirectMember } from '../db/queries/direct-channels.ts';
import { warnNotTold } from './directory.ts';
import type { AppEnv } from './env.ts';
import { callInbox } from './room.ts';

/** Each member's inbox is told of the new channel. Where one cannot be told it is there all the same: the notifier repeats it. */
export async function tellMembers(c: Context<AppEnv>, channel_id: string, members: readonly DirectMember[]): Promise<void> {
  const { user_id: actor_id } = c.get('identity').actor;
  const told = members.map(({ userId, eventId: event_id, version }) =>
    callInbox(c.env, userId, (inbox) => inbox.applyMemberChange(userId, { event_id, channel_id, actor_id, role: 'member', version })),
  );
  for (const outcome of await Promise.allSettled(told)) if (outcome.status === 'rejected') warnNotTold(c, channel_id, outcome.reason);
}
