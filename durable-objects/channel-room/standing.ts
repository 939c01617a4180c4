import type { ChannelStanding } from '../../protocol/announcements.ts';
import type { LogEvent } from '../log/event-log.ts';
import type { Conversation } from './conversation.ts';

/**
 * Takes what Postgres says of the channel, and announces it in the log, each version once: what is not above the known version is a repetition, or comes late,
 * and a later one has said all there is. A room learns the version as it opens: what was changed before, nobody there has seen otherwise.
 */
export function announceStanding(room: Conversation, standing: ChannelStanding, now: number): readonly LogEvent[] {
  const { change, version } = standing;
  if (!room.isNewStanding(standing)) return [];
  const { events } = room.commit(() => {
    if (change !== undefined) {
      const { event_id, ...rest } = change;
      room.append({ type: 'channel.changed', ...rest, version }, now, event_id);
    }
    // Last: it is kept in memory, too, which no rollback undoes.
    room.setStanding(standing);
  });
  return events;
}
