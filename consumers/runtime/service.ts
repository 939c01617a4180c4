/**
 * The one lifecycle of everything the fleet runs.
 *
 *   run ──work──▶ (drain: finish what is under way, let go of locks and memberships) ──▶ run resolves
 *            └──▶ (stop: the same, without waiting for what is under way)            ──▶ run resolves
 */
export interface Service {
  readonly name: string;
  /** Works until `drain` or `stop`. Faults of other parts are waited out inside; a rejection is a defect. */
  run(): Promise<void>;
  /** Resolves when the work under way is finished and stored. Safe to repeat. */
  drain(): Promise<void>;
  /** Resolves when nothing runs any more; what was under way is done again by whoever comes next. Safe to repeat. */
  stop(): Promise<void>;
}
