import type { Violation } from './checker.ts';

/** A record by its place in the event log. */
export interface Place {
  readonly key: string;
  readonly position: number;
}

/** What a group was to take, and what became of it. */
export interface GroupHistory {
  /** Rows of the event log that the group reads. */
  readonly log: readonly Place[];
  /** Its effects, in the order in which it had them. */
  readonly effects: readonly Place[];
  /** What waits for a retry, and what is a dead letter. */
  readonly parked: readonly Place[];
  readonly dead: readonly Place[];
}

/**
 * Every row of the log is an effect, waits, or is a dead letter: one of them, and once; of each key the effects are in the log's order. That the counts
 * reconcile (in = done + parked + dead) follows.
 */
export function checkEffects({ log, effects, parked, dead }: GroupHistory): Violation[] {
  const ends = new Map<number, number>();
  for (const { position } of [...effects, ...parked, ...dead]) ends.set(position, (ends.get(position) ?? 0) + 1);
  const logged = new Set(log.map(({ position }) => position));
  const lost = log.filter(({ position }) => !ends.has(position));
  const ghosts = [...effects, ...parked, ...dead].filter(({ position }) => !logged.has(position));
  const doubled = log.filter(({ position }) => (ends.get(position) ?? 0) > 1);
  return [
    ...lost.map((place) => violation('G1', 'lost', place)),
    ...ghosts.map((place) => violation('G2', 'ghost', place)),
    ...doubled.map((place) => violation('G2', 'duplicated', place)),
    ...reordered(effects).map((place) => violation('G3', 'reordered', place)),
  ];
}

function reordered(effects: readonly Place[]): Place[] {
  const highest = new Map<string, number>();
  return effects.filter(({ key, position }) => {
    const before = highest.get(key) ?? 0;
    highest.set(key, Math.max(before, position));
    return position < before;
  });
}

function violation(guarantee: Violation['guarantee'], kind: Violation['kind'], { key, position }: Place): Violation {
  return { guarantee, kind, where: 'effects', detail: `${position} of ${key}` };
}
