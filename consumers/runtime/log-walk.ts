import type { LogCursor, LogRow, LogWindow } from '../../db/queries/event-log.ts';

/** Reads of the event log, in one session or many. */
export interface LogPort {
  survey(cursor: LogCursor): Promise<LogWindow>;
  readPage(cursor: LogCursor, window: LogWindow, limit: number): Promise<readonly LogRow[]>;
}

/** A cursor with what is known of the window behind it; `window` null: not surveyed yet. */
export interface LogPlace {
  readonly cursor: LogCursor;
  readonly window: LogWindow | null;
}

/** Some rows, and the place behind them. No rows: there are none by now, and `next` is as good a place to go on from. */
export interface LogStep {
  readonly rows: readonly LogRow[];
  readonly next: LogPlace;
}

/**
 * Reads on from a place. It changes nothing: whoever walks stores `next.cursor` once the rows are taken care of, and walks again from
 * the last stored cursor after a crash. Rows may then be read twice, and in a larger window, but of each key in the same order.
 */
export async function walkLog(place: LogPlace, log: LogPort, limit: number): Promise<LogStep> {
  const window = place.window ?? (await log.survey(place.cursor));
  if (window.last === null) return { rows: [], next: { cursor: endOf(window), window: null } };
  const rows = await log.readPage(place.cursor, window, limit);
  const reached = rows.at(-1)?.position ?? window.last;
  // A short page is the window's last, also when a part of it was dropped meanwhile.
  if (rows.length < limit || reached >= window.last) return { rows, next: { cursor: endOf(window), window: null } };
  const { target, targetTakenAt } = window;
  return { rows, next: { cursor: { ...place.cursor, target, targetTakenAt, after: reached }, window } };
}

/** All of the window lies behind: its target is the new base. */
function endOf({ target, targetTakenAt }: LogWindow): LogCursor {
  return { base: target, baseTakenAt: targetTakenAt, target: null, targetTakenAt: null, after: 0 };
}
