import type { Violation } from './checker.ts';

/** A record by its place in the event log. */
export interface Place {
  readonly key: string;
  readonly position: number;
}

/** Where a group's cursor stood in a stream, each time that it was stored. */
export interface CursorHistory {
  readonly stream: string;
  /** The next offset, in the order in which they were stored. */
  readonly offsets: readonly bigint[];
}

/** What a group was to take, and what became of it. */
export interface GroupHistory {
  /** Rows of the event log that the group reads. */
  readonly log: readonly Place[];
  /** Its effects, in the order in which it had them. */
  readonly effects: readonly Place[];
  /** What waits for a retry, what is a dead letter, and what somebody gave up for good. */
  readonly parked: readonly Place[];
  readonly dead: readonly Place[];
  readonly discarded: readonly Place[];
  readonly cursors: readonly CursorHistory[];
  /** Redriving puts a record behind others of its key that were taken meanwhile, so their order is not that of the log. Default: nothing was redriven. */
  readonly redriven?: ReadonlySet<number>;
}

/** In = done + parked + dead + discarded, as counts. */
export interface Account {
  readonly in: number;
  readonly done: number;
  readonly parked: number;
  readonly dead: number;
  readonly discarded: number;
}

export function accountOf({ log, effects, parked, dead, discarded }: GroupHistory): Account {
  return { in: log.length, done: effects.length, parked: parked.length, dead: dead.length, discarded: discarded.length };
}

/**
 * Every row of the log is an effect, waits, is a dead letter or was given up: one of them, and once; of each key the effects are in the log's order;
 * no cursor ever went back; and the counts reconcile.
 */
export function checkEffects(history: GroupHistory): Violation[] {
  const { log, effects, parked, dead, discarded, redriven = new Set() } = history;
  const ended = [...effects, ...parked, ...dead, ...discarded];
  const ends = new Map<number, number>();
  for (const { position } of ended) ends.set(position, (ends.get(position) ?? 0) + 1);
  const logged = new Set(log.map(({ position }) => position));
  const last = lastOfKeys(ended);
  const missing = log.filter(({ position }) => !ends.has(position));
  const ghosts = ended.filter(({ position }) => !logged.has(position));
  const doubled = log.filter(({ position }) => (ends.get(position) ?? 0) > 1);
  return [
    ...missing.map((place) => violation('G1', place.position < (last.get(place.key) ?? 0) ? 'lost' : 'unseen', place)),
    ...ghosts.map((place) => violation('G2', 'ghost', place)),
    ...doubled.map((place) => violation('G2', 'duplicated', place)),
    ...reordered(effects.filter(({ position }) => !redriven.has(position))).map((place) => violation('G3', 'reordered', place)),
    ...history.cursors.flatMap(wentBack),
    ...unaccounted(accountOf(history)),
  ];
}

function lastOfKeys(places: readonly Place[]): Map<string, number> {
  const last = new Map<string, number>();
  for (const { key, position } of places) last.set(key, Math.max(position, last.get(key) ?? 0));
  return last;
}

function reordered(effects: readonly Place[]): Place[] {
  const highest = new Map<string, number>();
  return effects.filter(({ key, position }) => {
    const before = highest.get(key) ?? 0;
    highest.set(key, Math.max(before, position));
    return position < before;
  });
}

function wentBack({ stream, offsets }: CursorHistory): Violation[] {
  return offsets.flatMap((offset, index): Violation[] => {
    const before = offsets[index - 1] ?? 0n;
    return offset >= before ? [] : [{ guarantee: 'G3', kind: 'non-monotonic', where: stream, detail: `${offset} after ${before}` }];
  });
}

/** What one by one may hide: two faults that make up for each other in a list do not in the counts, nor the other way round. */
export function unaccounted(account: Account): Violation[] {
  const { in: all, done, parked, dead, discarded } = account;
  return all === done + parked + dead + discarded ? [] : [{ guarantee: 'G1', kind: 'unaccounted', where: 'counts', detail: JSON.stringify(account) }];
}

function violation(guarantee: Violation['guarantee'], kind: Violation['kind'], { key, position }: Place): Violation {
  return { guarantee, kind, where: 'effects', detail: `${position} of ${key}` };
}
