/**
 * A place in a partition of Kafka. Offsets start over when a topic is deleted and made anew, so the cursor remembers when the record before it was
 * written (`docs/decisions/0034-a-topic-made-anew-is-read-from-its-start.md`).
 */
export interface KafkaCursor {
  /** The next offset to read. */
  readonly next: bigint;
  /** Kafka's timestamp of the record before, in milliseconds; null in cursors that were stored without one. */
  readonly writtenAt: string | null;
}

/** The parts of a fetched record that say where it stands. */
export interface Placed {
  readonly offset: string;
  readonly timestamp: string;
}

const NOTATION = /^([0-9]{1,19})(?:@(-?[0-9]{1,16}))?$/;

/** A cursor as `consumer_offsets` keeps it, `next@writtenAt`. Null for none, and for the notation of another transport. */
export function parseKafkaCursor(stored: string | null): KafkaCursor | null {
  const match = NOTATION.exec(stored ?? '');
  return match === null ? null : { next: BigInt(match[1] ?? 0), writtenAt: match[2] ?? null };
}

/** The cursor behind a record. */
export const cursorBehind = ({ offset, timestamp }: Placed): string => `${BigInt(offset) + 1n}@${timestamp}`;

/** The next offset of a stored cursor; null where there is none. */
export const offsetOf = (stored: string | null): bigint | null => parseKafkaCursor(stored)?.next ?? null;

/** Where a member of the group stands in a partition. */
export interface Place {
  /** The stored cursor it reads on from. */
  readonly from: string | null;
  /**
   * `unsought`: nothing was asked for yet. `sought`: fetches begin with the record before the cursor. `anew`: they begin with the first there is.
   * `following`: they go on behind what was taken.
   */
  readonly state: 'unsought' | 'sought' | 'anew' | 'following';
}

/** `take`: the records continue the cursor. `seek`: ask for the record before it. `begin`: there is nothing to continue. `another`: the cursor is of a topic that is no more. */
export type Step = 'take' | 'seek' | 'begin' | 'another';

/** What to do with fetched records, at least one, at a place. */
export function nextStep({ from, state }: Place, records: readonly Placed[]): Step {
  if (state === 'anew') return 'take';
  const cursor = parseKafkaCursor(from);
  if (cursor === null || cursor.next === 0n) return 'begin';
  const first = BigInt(records[0]?.offset ?? 0);
  if (state === 'following' && first >= cursor.next) return 'take';
  const before = records.find(({ offset }) => BigInt(offset) === cursor.next - 1n);
  if (before !== undefined) return cursor.writtenAt === null || before.timestamp === cursor.writtenAt ? 'take' : 'another';
  // Asked for and not there: it is past the topic's retention by now.
  return state === 'sought' && first >= cursor.next ? 'take' : 'seek';
}

/** The records that lie behind a place. */
export function behind<Record extends Placed>({ from, state }: Place, records: readonly Record[]): readonly Record[] {
  const next = state === 'anew' ? null : offsetOf(from);
  return next === null ? records : records.filter(({ offset }) => BigInt(offset) >= next);
}
