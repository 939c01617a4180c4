import type { Sql } from '../../db/client.ts';
import { readCursor } from '../../db/queries/consumer-offsets.ts';
import { readLogPage, surveyLog } from '../../db/queries/event-log.ts';
import type { Topic } from '../../protocol/topics.ts';
import { cursorOf, eventLogLag } from './event-log-lag.ts';
import type { BatchHandler, EventSource, SourceBatch } from './event-source.ts';
import { ExclusiveSession } from './exclusive-session.ts';
import { formatLogCursor } from './log-cursor.ts';
import { type LogPlace, type LogPort, type LogStep, walkLog } from './log-walk.ts';
import { Poller } from './poller.ts';
import { logRecord } from './record.ts';

export interface EventLogSourceOptions {
  readonly databaseUrl: string;
  /** For `lag`, which any instance may be asked. */
  readonly sql: Sql;
  readonly groupId: string;
  readonly topics: readonly Topic[];
  readonly onError: (error: unknown) => void;
  readonly batchRecords?: number;
}

const BATCH_RECORDS = 500;
const IDLE = { first: 20, most: 200 };
const FAILURE = { first: 200, most: 5_000 };

/** Where the source stands in a topic: `stored` is the cursor that Postgres holds. */
interface Reading {
  readonly stored: string | null;
  readonly place: LogPlace;
}

/**
 * The embedded transport: reads `event_log` itself, each topic as one stream (partition 0). Of a group's instances one is active, by an
 * advisory lock; two that both believe so are told apart by the stored cursor. With no cursor, or one of another transport, it reads the
 * log from its start, and the positions taken over per key drop what is known.
 */
export function createEventLogSource(options: EventLogSourceOptions): EventSource {
  const { groupId, topics } = options;
  const session = new ExclusiveSession(options.databaseUrl, `colink-${groupId}`, { readerForGroup: groupId });
  const readings = new Map<Topic, Reading>();
  let term: number | null = null;
  let poller: Poller | null = null;

  async function step(handler: BatchHandler): Promise<boolean> {
    const held = await session.term();
    if (held !== term) readings.clear();
    term = held;
    if (held === null) return false;
    let isBusy = false;
    for (const topic of topics) isBusy = (await readOn(topic, handler)) || isBusy;
    return isBusy;
  }

  /** True: there may be more. A batch that is not taken is read again from the stored cursor. */
  async function readOn(topic: Topic, handler: BatchHandler): Promise<boolean> {
    const reading = readings.get(topic) ?? (await open(topic));
    readings.delete(topic);
    const { rows, next } = await walkLog(reading.place, logPort(session.sql, topic), options.batchRecords ?? BATCH_RECORDS);
    const batch = rows.length === 0 ? null : toBatch(topic, reading.stored, { rows, next });
    if (batch !== null && (await handler(batch)) === 'stale') {
      session.doubt();
      return true;
    }
    readings.set(topic, { stored: batch === null ? reading.stored : batch.cursor, place: next });
    return batch !== null;
  }

  async function open(topic: Topic): Promise<Reading> {
    const stored = await readCursor(session.sql, { groupId, topic, partition: 0 });
    return { stored, place: { cursor: cursorOf(stored), window: null } };
  }

  return {
    run: (handler) => {
      poller ??= new Poller({
        name: groupId,
        step: () => step(handler),
        idle: IDLE,
        failure: FAILURE,
        onError: options.onError,
        release: (hard) => session.close(hard),
      });
      return poller.run();
    },
    drain: async () => poller?.drain(),
    stop: async () => poller?.stop(),
    lag: () => eventLogLag(options.sql).lag(groupId, topics),
    // Who waits for the role does so on purpose.
    holds: () => term !== null,
  };
}

function toBatch(topic: Topic, from: string | null, { rows, next }: LogStep): SourceBatch {
  const records = rows.map(logRecord);
  return { topic, partition: 0, records, cursor: formatLogCursor(next.cursor), unseen: (stored) => (stored === from ? records : null) };
}

/** The event log of one topic, as `walkLog` reads it. */
export function logPort(sql: Sql, topic: Topic): LogPort {
  return {
    survey: (cursor) => surveyLog(sql, cursor, topic),
    readPage: (cursor, window, limit) => readLogPage(sql, cursor, window, limit, topic),
  };
}
