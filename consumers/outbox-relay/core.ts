import type { LogCursor, LogRow } from '../../db/queries/event-log.ts';
import { type LogPlace, type LogPort, type LogStep, walkLog } from '../runtime/log-walk.ts';

/** What the relay stands on. */
export interface RelayPorts {
  readonly log: LogPort;
  /** Resolves when the broker has acknowledged every row. Rejected: any part of them may have arrived. */
  produce(rows: readonly LogRow[]): Promise<void>;
  /** False: another leader has taken over. */
  save(cursor: LogCursor): Promise<boolean>;
}

/**
 * `sent`: rows are produced and the place is stored. `idle`: there were none. `fenced`: the rows may be sent, but this relay leads no
 * more and must send nothing else.
 */
export type RelayOutcome = { readonly kind: 'sent'; readonly rows: number } | { readonly kind: 'idle' } | { readonly kind: 'fenced' };

/** A place in the log; `ahead` is the page behind it, on its way while the page before it is produced. */
export interface RelayPlace extends LogPlace {
  readonly ahead?: Promise<LogStep>;
}

/**
 * One page: read → produce → save. A death before `save` repeats the page, nothing loses it; a page that is sent twice, even by two
 * relays at once, shows its first occurrences in order per key, and consumers drop the others by position.
 */
export async function relayPage(place: RelayPlace, ports: RelayPorts, limit: number): Promise<{ outcome: RelayOutcome; place: RelayPlace }> {
  const { rows, next } = await (place.ahead ?? walkLog(place, ports.log, limit));
  if (rows.length === 0) return { outcome: { kind: 'idle' }, place: next };
  const following = readAhead(next, ports.log, limit);
  await ports.produce(rows);
  const saved = await ports.save(next.cursor);
  return saved ? { outcome: { kind: 'sent', rows: rows.length }, place: following } : { outcome: { kind: 'fenced' }, place };
}

/** Begins to read the rest of a window that is known to have one. Behind a window there may be nothing yet, and later more. */
function readAhead(place: LogPlace, log: LogPort, limit: number): RelayPlace {
  if (place.window === null) return place;
  const ahead = walkLog(place, log, limit);
  // Whoever takes the place sees the failure; a page that could not be produced leaves it to nobody.
  ahead.catch(() => {});
  return { ...place, ahead };
}
