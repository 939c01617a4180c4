import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { BREAKER, type BreakerState, guardClamd } from './breaker.ts';
import type { Clamd } from './clamd.ts';
import { ClamdAway, ClamdFailed, Unscannable } from './failures.ts';

const never = new AbortController().signal;
const nothing = { async *[Symbol.asyncIterator]() {} };

describe('the breaker before clamd', () => {
  let failure: Error | null;
  let pings: number;
  let answerPing: () => Promise<void>;
  let states: BreakerState[];
  const clamd: Clamd = {
    ping: async () => {
      pings += 1;
      await answerPing();
    },
    scan: async () => {
      if (failure !== null) throw failure;
      return { status: 'clean' };
    },
  };
  let guarded: ReturnType<typeof guardClamd>;

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['Date'] });
    [failure, pings, states] = [null, 0, []];
    answerPing = async () => {
      if (failure !== null) throw failure;
    };
    guarded = guardClamd(clamd, { ...BREAKER, onState: (state) => states.push(state) });
  });
  afterEach(() => vi.useRealTimers());

  async function scans(times: number): Promise<void> {
    for (let n = 0; n < times; n++) await guarded.scan(nothing, never).catch(() => {});
  }

  it('opens at the fifth failure in a row, rests 30 s, and closes by one ping', async () => {
    failure = new ClamdAway('away');
    await scans(4);
    expect([await guarded.isReady(never), states]).toEqual([true, []]);
    await scans(1);
    expect([await guarded.isReady(never), states, pings]).toEqual([false, ['open'], 0]);
    vi.advanceTimersByTime(29_999);
    expect([await guarded.isReady(never), pings]).toEqual([false, 0]);
    failure = null;
    vi.advanceTimersByTime(1);
    expect([await guarded.isReady(never), pings, states]).toEqual([true, 1, ['open', 'half_open', 'closed']]);
  });

  it('rests again where the ping fails, and lets nobody through beside it', async () => {
    failure = new ClamdAway('away');
    await scans(5);
    vi.advanceTimersByTime(30_000);
    const { promise, reject } = Promise.withResolvers<void>();
    answerPing = () => promise;
    const probing = guarded.isReady(never);
    expect(await Promise.all([guarded.isReady(never), guarded.isReady(never)])).toEqual([false, false]);
    reject(new ClamdAway('still away'));
    expect([await probing, pings, states.at(-1)]).toEqual([false, 1, 'open']);
    vi.advanceTimersByTime(29_999);
    expect([await guarded.isReady(never), pings]).toEqual([false, 1]);
  });

  it('counts failures in a row: one that works begins anew', async () => {
    for (let n = 0; n < 3; n++) {
      failure = new ClamdFailed('slow');
      await scans(4);
      failure = null;
      await scans(1);
    }
    expect(states).toEqual([]);
    failure = new ClamdFailed('slow');
    await scans(5);
    expect(states).toEqual(['open']);
  });

  it('is not moved by what is a file’s fault, the store’s, or whoever ends the scan', async () => {
    for (failure of [new Unscannable('too large'), new Error('the store is away'), new DOMException('over', 'AbortError')]) await scans(10);
    expect([await guarded.isReady(never), states]).toEqual([true, []]);
  });
});
