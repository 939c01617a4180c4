import { MAX_ACT_LETTERS } from '../../protocol/dead-letters.ts';

/** `limit`, `rate` (letters a second) may be Infinity. `canary`: so many go first, and the rest only if all of them succeed; 0: none. */
export interface RedrivePlan {
  readonly limit: number;
  readonly rate: number;
  readonly canary: number;
  /** How long outcomes are waited for, in milliseconds. */
  readonly waitMs: number;
}

export interface Outcomes {
  readonly waiting: number;
  readonly succeeded: number;
  readonly failed: number;
}

export interface RedrivePorts {
  /** Hands over the next letters, at most so many, and returns them; none: there are no more. All or none of them, in one transaction. */
  redrive(limit: number): Promise<readonly string[]>;
  outcomes(ids: readonly string[]): Promise<Outcomes>;
  /** Ends early when `signal` aborts. */
  pause(milliseconds: number): Promise<void>;
  now(): number;
  /** Called after each transaction, with the number of letters handed over so far. */
  onProgress(handedOver: number): void;
  readonly signal: AbortSignal;
}

export interface RedriveReport extends Outcomes {
  readonly end: 'done' | 'interrupted' | 'canary_failed' | 'canary_waits';
}

const LOOK_EVERY = 250;

/** Redrives by plan. Interrupted or dead at any moment, what was handed over is in its groups' queues, and the rest is pending as before. */
export async function runRedrive(plan: RedrivePlan, ports: RedrivePorts): Promise<RedriveReport> {
  const ids: string[] = [];
  if (plan.canary > 0) {
    await handOver(ids, { ...plan, limit: Math.min(plan.canary, plan.limit) }, ports);
    const outcomes = await waitFor(ids, plan.waitMs, ports);
    if (outcomes.failed > 0) return { ...outcomes, end: 'canary_failed' };
    if (outcomes.waiting > 0) return { ...outcomes, end: ports.signal.aborted ? 'interrupted' : 'canary_waits' };
  }
  await handOver(ids, plan, ports);
  return { ...(await waitFor(ids, plan.waitMs, ports)), end: ports.signal.aborted ? 'interrupted' : 'done' };
}

/** Adds to `ids` until there are `limit` of them, or no more letters. */
async function handOver(ids: string[], { limit, rate }: RedrivePlan, ports: RedrivePorts): Promise<void> {
  const most = Math.max(1, Math.min(MAX_ACT_LETTERS, Math.floor(rate)));
  while (ids.length < limit && !ports.signal.aborted) {
    const begun = ports.now();
    const moved = await ports.redrive(Math.min(most, limit - ids.length));
    if (moved.length === 0) return;
    ids.push(...moved);
    ports.onProgress(ids.length);
    const due = (moved.length / rate) * 1_000 - (ports.now() - begun);
    if (due > 0 && ids.length < limit) await ports.pause(due);
  }
}

async function waitFor(ids: readonly string[], waitMs: number, ports: RedrivePorts): Promise<Outcomes> {
  const until = ports.now() + waitMs;
  let outcomes = await ports.outcomes(ids);
  while (outcomes.waiting > 0 && ports.now() < until && !ports.signal.aborted) {
    await ports.pause(LOOK_EVERY);
    outcomes = await ports.outcomes(ids);
  }
  return outcomes;
}
