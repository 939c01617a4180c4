import type { Removal } from '../../protocol/announcements.ts';
import type { Outcome } from '../../protocol/errors.ts';
import type { LogEvent } from '../log/event-log.ts';
import { backlogProblem, deleteMessage } from './commands.ts';
import type { Conversation } from './conversation.ts';

/**
 * Deletes messages that somebody who moderates has ordered to be removed, in one commit: whoever wrote them, whoever is a member, and though the channel is archived. The order
 * is the authority: Postgres keeps none but of those who may. What is deleted already, or was never here, stays as it is. A room that holds as many unstored events as
 * it may deletes nothing (G8).
 */
export function removeMessages(room: Conversation, removals: readonly Removal[], now: number): Outcome<readonly LogEvent[]> {
  const problem = backlogProblem(room);
  if (problem !== null) return { problem };
  const { events } = room.commit(() => {
    for (const { message_id, actor_id } of removals) {
      const message = room.messages.find(message_id);
      if (message !== undefined) deleteMessage(room, message, actor_id, now, { by_moderator: true });
    }
  });
  return { ok: events };
}
