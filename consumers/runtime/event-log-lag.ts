import type { Sql } from '../../db/client.ts';
import { readStreams } from '../../db/queries/consumer-offsets.ts';
import { LOG_START, type LogCursor, surveyLog } from '../../db/queries/event-log.ts';
import type { Topic } from '../../protocol/topics.ts';
import { parseLogCursor } from './log-cursor.ts';
import type { LagReader, StreamLag } from './stream-lag.ts';

/** Lags on the embedded transport: what of each topic is in `event_log` behind the stored cursors. */
export function eventLogLag(sql: Sql): LagReader {
  return {
    lag: async (groupId, topics) => {
      const states = await readStreams(sql, groupId);
      const lags: StreamLag[] = [];
      for (const topic of topics) {
        const state = states.find((known) => known.topic === topic && known.partition === 0);
        const cursor = state?.cursor ?? null;
        lags.push({ topic, partition: 0, records: await countBehind(sql, cursorOf(cursor), topic), cursor, takenAt: state?.takenAt ?? null });
      }
      return lags;
    },
    between: async ({ topic }, from, to) => {
      if (from === to) return 0;
      const behind = await countBehind(sql, cursorOf(from), topic);
      return Math.max(0, behind - (await countBehind(sql, cursorOf(to), topic)));
    },
  };
}

/** The stored place; the log's start where there is none, or one of another transport. */
export function cursorOf(stored: string | null): LogCursor {
  return (stored === null ? null : parseLogCursor(stored)) ?? LOG_START;
}

/** Rows of a topic behind a cursor: the rest of its window, and what was committed since. */
async function countBehind(sql: Sql, cursor: LogCursor, topic: Topic): Promise<number> {
  const window = await surveyLog(sql, cursor, topic);
  if (cursor.target === null) return window.count;
  const since = { base: window.target, baseTakenAt: window.targetTakenAt, target: null, targetTakenAt: null, after: 0 };
  return window.count + (await surveyLog(sql, since, topic)).count;
}
