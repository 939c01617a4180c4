import type { Decoded } from './decode.ts';
import type { SourceRecord } from './record.ts';

type EventOf<E> = Extract<Decoded<E>, { kind: 'event' }>;
type FatalOf<E> = Extract<Decoded<E>, { kind: 'fatal' }>;

/** What is to be done with the records of a batch. All lists keep the batch's order. */
export interface Intake<E> {
  readonly fresh: EventOf<E>[];
  /** Records of parked keys: they wait behind what failed. */
  readonly queued: { readonly parkedKey: string; readonly record: SourceRecord }[];
  readonly fatal: FatalOf<E>[];
  /** The highest position of each key that this batch takes over, by whichever way. */
  readonly positions: Map<string, number>;
  readonly duplicates: number;
}

/**
 * Sorts a batch. A record whose position is not above its key's highest so far is a repetition (G2): the topic may hold pages twice,
 * because the relay sends a page again when it does not know whether it arrived, but never in another order.
 */
export function sortBatch<E>(decoded: readonly Decoded<E>[], taken: ReadonlyMap<string, number>, parked: ReadonlySet<string>): Intake<E> {
  const intake = { fresh: [] as EventOf<E>[], queued: [] as Intake<E>['queued'], fatal: [] as FatalOf<E>[], positions: new Map<string, number>() };
  let duplicates = 0;
  const isRepeated = (key: string, position: number): boolean => position <= (intake.positions.get(key) ?? taken.get(key) ?? 0);
  for (const item of decoded) {
    if (item.kind === 'passed') continue;
    const { key, position } = item;
    if (key !== null && position !== null) {
      if (isRepeated(key, position)) {
        duplicates += 1;
        continue;
      }
      intake.positions.set(key, position);
    }
    if (item.kind === 'fatal') intake.fatal.push(item);
    else if (parked.has(item.key)) intake.queued.push({ parkedKey: item.key, record: item.record });
    else intake.fresh.push(item);
  }
  return { ...intake, duplicates };
}
