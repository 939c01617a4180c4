import type { FileNews } from '../../protocol/announcements.ts';
import type { LogEvent } from '../log/event-log.ts';
import type { Conversation } from './conversation.ts';

/**
 * Announces what has become of files of the channel, each change once: what is not above the version that was announced is a repetition, or comes late. A
 * room that lost its storage may announce one again, which changes nothing for who knows it.
 */
export function announceFiles(room: Conversation, news: readonly FileNews[], now: number): readonly LogEvent[] {
  const { events } = room.commit(() => {
    for (const { event_id, file_id, actor_id, status, thumbnails, version } of news) {
      if (!room.learnFile(file_id, version)) continue;
      room.append({ type: 'file.changed', actor_id, file_id, status, thumbnails }, now, event_id);
    }
  });
  return events;
}
