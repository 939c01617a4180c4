import type { Sql } from '../../db/client.ts';
import { fillFrom, type Filled, readRebuild } from '../../db/queries/search-rebuild.ts';
import type { LogRow } from '../../db/queries/event-log.ts';
import type { SearchKind } from '../../db/schema/search-tables.ts';
import { ceType } from '../../protocol/topics.ts';
import { cursorOf } from '../runtime/event-log-lag.ts';
import { logPort } from '../runtime/event-log-source.ts';
import type { Consumed } from '../runtime/group.ts';
import { formatLogCursor } from '../runtime/log-cursor.ts';
import { type LogPlace, walkLog } from '../runtime/log-walk.ts';
import { INDEX_SOURCES, type SearchEvent, searchEventSchema } from './events.ts';
import { applyToIndexes } from './group.ts';

/**
 * Fills a new table by folding the event log anew, a page at a time, up to what was logged when it began: of what came later the group notes what it changes.
 * It has what the log has: what is older than 30 days is missed by the proof.
 */
export function logFiller(sql: Sql, kind: SearchKind, from: string | null, pageSize: number): () => Promise<Filled> {
  const { topic } = INDEX_SOURCES[kind];
  const log = logPort(sql, topic);
  let stored = from;
  let place: LogPlace = { cursor: cursorOf(stored), window: null };
  return async () => {
    const { rows, next } = await walkLog(place, log, pageSize);
    const cursor = formatLogCursor(next.cursor);
    const events = rows.flatMap((row) => eventOf(kind, row));
    const isFilled = await fillFrom(sql, kind, stored, cursor, async (tx) => {
      await applyToIndexes(tx, events, 'next');
      return events.length;
    });
    if (isFilled) {
      [stored, place] = [cursor, next];
      return { rows: rows.length, more: next.window !== null };
    }
    // Somebody else went on meanwhile: so do we, from where they are.
    const rebuild = await readRebuild(sql, kind);
    stored = rebuild?.cursor ?? null;
    place = { cursor: cursorOf(stored), window: null };
    return { rows: 0, more: rebuild?.state === 'filling' };
  };
}

/** What the index cannot read became a dead letter of the group, and is no row of the new table either: the proof says so. */
function eventOf(kind: SearchKind, { key, position, type, data }: LogRow): Consumed<SearchEvent>[] {
  if (!INDEX_SOURCES[kind].types.some((known) => ceType(known) === type)) return [];
  const parsed = searchEventSchema.safeParse(JSON.parse(data));
  return parsed.success ? [{ key, position, event: parsed.data }] : [];
}
