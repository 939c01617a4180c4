/** What is known of the drain at one moment. Times are milliseconds of one clock. */
export interface DrainSample {
  readonly at: number;
  readonly drainedSeq: number;
}

/** The acknowledgements of a round: entry i of both is one message. */
export interface Acks {
  readonly seqs: Float64Array;
  readonly ackedAt: Float64Array;
}

/** For how long the oldest message that was acknowledged and not yet in Postgres had been waiting, at the worst of the samples; in ms. */
export function worstDrainLag(samples: readonly DrainSample[], acks: Acks): number {
  const order = Array.from(acks.seqs.keys()).toSorted((a, b) => at(acks.seqs, a) - at(acks.seqs, b));
  const seqs = order.map((index) => at(acks.seqs, index));
  const oldest = earliestFrom(order.map((index) => at(acks.ackedAt, index)));
  const lags = samples.map((sample) => sample.at - (oldest[firstAbove(seqs, sample.drainedSeq)] ?? sample.at));
  return Math.max(0, ...lags);
}

const at = (values: Float64Array, index: number): number => values[index] ?? Number.NaN;

/** Entry i: the earliest time of the messages from i on, since a later `seq` may have been acknowledged first. */
function earliestFrom(times: readonly number[]): number[] {
  const earliest = [...times];
  for (let index = earliest.length - 2; index >= 0; index--) earliest[index] = Math.min(earliest[index] ?? 0, earliest[index + 1] ?? 0);
  return earliest;
}

function firstAbove(sorted: readonly number[], value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? 0) > value) high = middle;
    else low = middle + 1;
  }
  return low;
}
