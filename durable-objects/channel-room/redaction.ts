import type { RedactAnswer, Redaction } from '../../protocol/redactions.ts';
import type { LogEvent } from '../log/event-log.ts';
import { backlogProblem, deleteMessage } from './commands.ts';
import type { Conversation } from './conversation.ts';

/** Messages deleted in one commit. */
export const MOST_REDACTED = 500;

interface Redacted {
  readonly answer: RedactAnswer;
  readonly events: readonly LogEvent[];
}

/**
 * Deletes the next messages of a user, in one commit, whoever is a member and though the channel is archived; the actor is who asked for it. A room that holds as
 * many unstored events as it may deletes nothing (G8).
 */
export function redact(room: Conversation, { user_id, actor_id, after }: Redaction, now: number): Redacted {
  if (backlogProblem(room) !== null) return { answer: { status: 'unavailable' }, events: [] };
  const found = room.messages.liveOf(user_id, after, MOST_REDACTED);
  const { events } = room.commit(() => {
    for (const message of found) deleteMessage(room, message, actor_id, now);
  });
  return { answer: { status: 'told', after: found.length < MOST_REDACTED ? null : (found.at(-1)?.id ?? null) }, events };
}
