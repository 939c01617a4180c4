import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { HOST_BREAKER, HostBreakers } from './host-breakers.ts';
import type { Verdict } from './port.ts';

const AWAY: Verdict = { kind: 'later', cause: 'away', afterMs: null };
const HELD: Verdict = { kind: 'later', cause: 'held', afterMs: HOST_BREAKER.restMs };

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

it('a host that is away is left alone after five failures, by everybody, and probed by one when it has rested; others go on', async () => {
  const breakers = new HostBreakers();
  let asked = 0;
  let answer: Verdict = AWAY;
  const ask = (host = 'push.example') => breakers.ask(host, async () => ((asked += 1), answer));
  for (let n = 0; n < HOST_BREAKER.failures; n += 1) expect(await ask()).toEqual(AWAY);
  expect([await ask(), asked]).toEqual([HELD, 5]);
  answer = { kind: 'sent' };
  expect([await ask('other.example'), asked]).toEqual([answer, 6]);
  await vi.advanceTimersByTimeAsync(HOST_BREAKER.restMs);
  expect([await ask(), await ask(), asked]).toEqual([answer, answer, 8]);
});

it('what a host says of one push alone does not count', async () => {
  const breakers = new HostBreakers();
  const verdicts: Verdict[] = [{ kind: 'refused', cause: '413' }, { kind: 'gone' }, { kind: 'later', cause: 'busy', afterMs: 1 }];
  for (let n = 0; n < 12; n += 1) for (const verdict of verdicts) expect(await breakers.ask('push.example', async () => verdict)).toBe(verdict);
});
