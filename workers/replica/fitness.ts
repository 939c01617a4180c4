import type { ReplayState, WalPosition } from '../../db/queries/replication.ts';

/** The greatest lag of a replica that is read from, in milliseconds. */
const MAX_LAG_MS = 5_000;

/** `behind`: it may lack what the caller has written. `lagging`: it is too old for anybody. `no_replica`: it replays nothing, and may have left the history. */
export type Fitness = 'fit' | 'behind' | 'lagging' | 'no_replica';

/** Why the primary answered: what the replica was, or did. `refused`: it had nothing to show, or what it had was not confirmed. */
export type PrimaryReason = Exclude<Fitness, 'fit'> | 'not_configured' | 'resting' | 'failed' | 'refused';

/** `primary`: where the primary stood when the read began. `wanted`: what the read has to show; null: nothing in particular. */
export function fitnessOf(replay: ReplayState | null, primary: WalPosition, wanted: WalPosition | null): Fitness {
  if (replay === null) return 'no_replica';
  if (wanted !== null && replay.position < wanted) return 'behind';
  return lagOf(replay, primary) > MAX_LAG_MS ? 'lagging' : 'fit';
}

/**
 * Milliseconds, at most. The age of the last replayed commit says nothing where no other followed; and where one has just followed a long silence it says
 * too much, for a moment.
 */
export function lagOf({ position, lastCommitAge }: ReplayState, primary: WalPosition): number {
  return position >= primary ? 0 : Math.max(0, lastCommitAge ?? Infinity);
}
