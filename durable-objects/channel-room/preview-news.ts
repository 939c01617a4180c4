import type { PreviewNews } from '../../protocol/announcements.ts';
import type { Outcome } from '../../protocol/errors.ts';
import type { LogEvent } from '../log/event-log.ts';
import { backlogProblem } from './commands.ts';
import type { Conversation } from './conversation.ts';
import { fingerprint } from './hash53.ts';

/**
 * Announces what was found at the links of messages, each finding once: what is of another revision than the message has by now, of a deleted message, or of one whose previews
 * were removed, is passed over. A room that lost its storage may announce one again, which changes nothing for who knows it. A room that holds as many unstored events
 * as it may announces nothing (G8).
 */
export function announcePreviews(room: Conversation, news: readonly PreviewNews[], now: number): Outcome<readonly LogEvent[]> {
  const problem = backlogProblem(room);
  if (problem !== null) return { problem };
  const { events } = room.commit(() => {
    for (const { message_id, revision, previews } of news) {
      const [message, known] = [room.messages.find(message_id), room.previews.find(message_id)];
      if (message === undefined || message.deleted === 1 || message.revision !== revision || known?.removed_seq != null) continue;
      const print = fingerprint(JSON.stringify(previews), null);
      if (known?.revision === revision && known.fingerprint === print) continue;
      room.previews.set({ message_id, revision, fingerprint: print, removed_seq: null });
      room.append({ type: 'message.previewed', actor_id: message.author_id, message_id, revision, previews }, now);
    }
  });
  return { ok: events };
}
