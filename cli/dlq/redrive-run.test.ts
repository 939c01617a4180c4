import { describe, expect, it } from 'vitest';
import { type RedrivePlan, type RedrivePorts, runRedrive } from './redrive-run.ts';

const PLAN: RedrivePlan = { limit: Infinity, rate: Infinity, canary: 0, waitMs: 1_000 };

/** A group that takes a letter `takesMs` after it was handed over, but for number `bad`. */
function world(letters: number, { bad = -1, takesMs = 100, abortAt = Infinity } = {}) {
  const abort = new AbortController();
  const handed = new Map<string, number>();
  const calls: { at: number; letters: number }[] = [];
  let clock = 0;
  const ports: RedrivePorts = {
    redrive: async (limit) => {
      const ids = Array.from({ length: Math.min(limit, letters - handed.size) }, (_, n) => String(handed.size + n));
      for (const id of ids) handed.set(id, clock);
      if (ids.length > 0) calls.push({ at: clock, letters: ids.length });
      return ids;
    },
    outcomes: async (ids) => {
      const tried = ids.filter((id) => (handed.get(id) ?? 0) + takesMs <= clock);
      const failed = tried.filter((id) => Number(id) === bad).length;
      return { waiting: ids.length - tried.length, succeeded: tried.length - failed, failed };
    },
    pause: async (milliseconds) => {
      clock += milliseconds;
      if (clock >= abortAt) abort.abort();
    },
    now: () => clock,
    onProgress: () => {},
    signal: abort.signal,
  };
  return { ports, calls, handed };
}

describe('a redrive by plan', () => {
  it('hands over all there is, 100 a transaction, and tells what became of it', async () => {
    const { ports, calls } = world(250, { bad: 7 });
    expect(await runRedrive(PLAN, ports)).toEqual({ end: 'done', waiting: 0, succeeded: 249, failed: 1 });
    expect(calls.map(({ letters }) => letters)).toEqual([100, 100, 50]);
  });

  it.each([[10, 10, 1_000], [0.5, 1, 2_000], [2.5, 2, 800]])('keeps a rate of %d a second', async (rate, letters, every) => {
    const { ports, calls } = world(100);
    await runRedrive({ ...PLAN, rate, limit: letters * 3 }, ports);
    expect(calls).toEqual([0, 1, 2].map((n) => ({ at: n * every, letters })));
  });

  it('stops behind the limit', async () => {
    const { ports, handed } = world(500);
    expect(await runRedrive({ ...PLAN, limit: 130 }, ports)).toMatchObject({ end: 'done', succeeded: 130 });
    expect(handed.size).toBe(130);
  });

  it('goes on behind a canary that succeeds, and counts it', async () => {
    const { ports, calls } = world(20);
    expect(await runRedrive({ ...PLAN, canary: 3, limit: 10 }, ports)).toMatchObject({ end: 'done', succeeded: 10 });
    expect(calls.map(({ letters }) => letters)).toEqual([3, 7]);
  });

  it('stops where one of the canary fails', async () => {
    const { ports, handed } = world(20, { bad: 2 });
    expect(await runRedrive({ ...PLAN, canary: 3 }, ports)).toEqual({ end: 'canary_failed', waiting: 0, succeeded: 2, failed: 1 });
    expect(handed.size).toBe(3);
  });

  it('stops where nobody tries the canary in time', async () => {
    const { ports, handed } = world(20, { takesMs: 60_000 });
    expect(await runRedrive({ ...PLAN, canary: 3 }, ports)).toEqual({ end: 'canary_waits', waiting: 3, succeeded: 0, failed: 0 });
    expect(handed.size).toBe(3);
  });

  it('ends between two transactions when it is interrupted', async () => {
    const { ports, handed } = world(100, { abortAt: 2_500 });
    expect(await runRedrive({ ...PLAN, rate: 10 }, ports)).toMatchObject({ end: 'interrupted', succeeded: 30 });
    expect(handed.size).toBe(30);
  });
});
