import type { LogCursor, LogRow } from '../../db/queries/event-log.ts';
import { type LogPlace, type LogPort, walkLog } from '../runtime/log-walk.ts';

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

/**
 * One page: read → produce → save. A death before `save` repeats the page, nothing loses it; a page that is sent twice, even by two
 * relays at once, shows its first occurrences in order per key, and consumers drop the others by position.
 */
export async function relayPage(place: LogPlace, ports: RelayPorts, limit: number): Promise<{ outcome: RelayOutcome; place: LogPlace }> {
  const { rows, next } = await walkLog(place, ports.log, limit);
  if (rows.length === 0) return { outcome: { kind: 'idle' }, place: next };
  await ports.produce(rows);
  const saved = await ports.save(next.cursor);
  return saved ? { outcome: { kind: 'sent', rows: rows.length }, place: next } : { outcome: { kind: 'fenced' }, place };
}
