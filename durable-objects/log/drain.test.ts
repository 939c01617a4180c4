import { beforeEach, describe, expect, it } from 'vitest';
import { Drain, type DrainAnswer, type DrainStep } from './drain.ts';
import type { LogEvent } from './event-log.ts';

class DataFault extends Error {}

/** Postgres as the drain sees it: stores whole batches, or refuses those that hold a poisonous number. */
class Store {
  readonly batches: number[][] = [];
  readonly skipped: number[] = [];
  readonly traces: (string | null)[] = [];
  readonly poison = new Set<number>();
  drained = 0;
  answer: DrainAnswer | Error | null = null;

  events(head: number): (max: number) => LogEvent[] {
    return (max) => Array.from({ length: Math.min(max, head - this.drained) }, (_, index) => event(this.drained + 1 + index));
  }

  async drainBatch(json: string, tracesJson: string | null): Promise<DrainAnswer> {
    this.traces.push(tracesJson);
    if (this.answer instanceof Error) throw this.answer;
    if (this.answer !== null) return this.answer;
    const seqs = (JSON.parse(json) as { seq: number }[]).map(({ seq }) => seq);
    this.batches.push(seqs);
    if (seqs.some((seq) => this.poison.has(seq))) throw new DataFault();
    return { status: 'ok', drained_seq: seqs.at(-1) ?? 0 };
  }

  async skipPoison({ seq }: LogEvent): Promise<DrainAnswer> {
    this.skipped.push(seq);
    return { status: 'ok', drained_seq: seq };
  }
}

const event = (seq: number): LogEvent => ({ seq, json: `{"seq":${seq}}`, bytes: 10 });

let store: Store;
beforeEach(() => {
  store = new Store();
});

function drainOf(head: number): Drain {
  return new Drain({
    undrained: store.events(head),
    durable: async () => {},
    drainBatch: (...batch) => store.drainBatch(...batch),
    skipPoison: (skipped) => store.skipPoison(skipped),
    markDrained: (seq) => {
      store.drained = seq;
    },
    isDataFault: (error) => error instanceof DataFault,
  });
}

async function steps(drain: Drain, head: number, most = 100): Promise<DrainStep['kind'][]> {
  const kinds: DrainStep['kind'][] = [];
  while (store.drained < head && kinds.length < most) kinds.push((await drain.step()).kind);
  return kinds;
}

describe('Drain', () => {
  it('moves batches of at most 1,000, in order (G6)', async () => {
    await steps(drainOf(2_500), 2_500);
    expect(store.batches.map((batch) => [batch.at(0), batch.at(-1)])).toEqual([[1, 1_000], [1_001, 2_000], [2_001, 2_500]]);
  });

  it('brings the traces that its events have, by seq', async () => {
    const traced = (seq: number): LogEvent => ({ ...event(seq), traceparent: `t${seq}` });
    const batches = [[event(1), event(2)], [event(3), traced(4), traced(5)]];
    const drain = new Drain({ undrained: () => batches.shift() ?? [], durable: async () => {}, drainBatch: (...batch) => store.drainBatch(...batch), skipPoison: (skipped) => store.skipPoison(skipped), markDrained: () => {}, isDataFault: () => false });
    for (let n = 0; n < 2; n++) await drain.step();
    expect(store.traces).toEqual([null, '{"4":"t4","5":"t5"}']);
  });

  it('marks nothing where Postgres is away', async () => {
    store.answer = new Error('connection lost');
    expect(await drainOf(3).step()).toMatchObject({ kind: 'failed' });
    expect(store.drained).toBe(0);
  });

  it.each(['fenced', 'gap', 'unknown'] as const)('reports %s and marks nothing', async (status) => {
    store.answer = { status, drained_seq: 7 };
    expect(await drainOf(3).step()).toEqual({ kind: 'refused', status, drainedSeq: 7 });
    expect(store.drained).toBe(0);
  });

  it('isolates a poisonous event and stores all the others (G6)', async () => {
    store.poison.add(777);
    await steps(drainOf(1_000), 1_000);
    const stored = store.batches.filter((batch) => !batch.includes(777)).flat();
    expect(store.skipped).toEqual([777]);
    expect(stored.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 1_000 }, (_, index) => index + 1).filter((seq) => seq !== 777));
  });

  it('stops skipping after a run of poison, until a pause has passed', async () => {
    for (let seq = 1; seq <= 7; seq++) store.poison.add(seq);
    const drain = drainOf(10);
    expect((await steps(drain, 10, 12)).at(-1)).toBe('failed');
    expect(store.skipped).toEqual([1, 2, 3, 4, 5]);
    drain.resume();
    await steps(drain, 10);
    expect(store.skipped).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(store.batches.at(-1)?.at(-1)).toBe(10);
  });
});
