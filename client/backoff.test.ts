import { describe, expect, it } from 'vitest';
import { problemDocument } from '../protocol/errors.ts';
import { backoffMs, retrying } from './backoff.ts';
import { NetworkError, ProblemError } from './errors.ts';
import { FakeClock } from './testing/fake-clock.ts';
import { seededRandom } from './testing/random.ts';

describe('back-off', () => {
  it('is uniform from nothing up to a ceiling that doubles to 30 s (P38)', () => {
    expect([0, 1, 5, 6, 1_000].map((attempt) => backoffMs('jitter', attempt, () => 0.999_999))).toEqual([500, 1_000, 16_000, 30_000, 30_000]);
    expect(backoffMs('jitter', 6, () => 0)).toBe(0);
    const random = seededRandom(1);
    const waits = Array.from({ length: 1_000 }, () => backoffMs('slow', 0, random));
    expect(waits.reduce((sum, ms) => sum + ms, 0) / waits.length).toBeCloseTo(15_000, -3);
  });

  it('is nothing where the table asks for none', () => {
    expect(backoffMs('none', 9, () => 0.9)).toBe(0);
  });
});

describe('retrying', () => {
  const ports = () => ({ clock: new FakeClock(), random: () => 0 });

  it('waits as long as the server asks', async () => {
    const { clock, random } = ports();
    let calls = 0;
    const call = async () => {
      calls += 1;
      if (calls === 1) throw new ProblemError(problemDocument({ code: 'unavailable', retry_after: 5 }));
      return 'done';
    };
    const result = retrying(call, { clock, random });
    await clock.advance(4_999);
    expect(calls).toBe(1);
    await clock.advance(1);
    expect(await result).toBe('done');
  });

  it('gives up after its attempts, and at once for what repetition does not mend', async () => {
    const { clock, random } = ports();
    let calls = 0;
    const failing = (error: Error) => () => {
      calls += 1;
      return Promise.reject(error);
    };
    const away = retrying(failing(new NetworkError('away')), { clock, random }, 3).catch((error: Error) => error.message);
    await clock.advance(1_000);
    expect([await away, calls]).toEqual(['away', 3]);
    await expect(retrying(failing(new ProblemError(problemDocument({ code: 'forbidden' }))), { clock, random })).rejects.toMatchObject({ code: 'forbidden' });
    expect(calls).toBe(4);
  });
});
