import { describe, expect, it } from 'vitest';
import type { KnownPage } from '../../db/queries/link-previews.ts';
import { hashOf } from './links.ts';
import type { Look } from './look-up.ts';
import { afterLook, isLost, stepOf } from './outcome.ts';

const [SECOND, MINUTE, HOUR] = [1_000, 60_000, 3_600_000];
const preview = { title: 'T', description: null, site_name: null };
const failed: Look = { kind: 'failed', reason: 'timeout' };
const away: Look = { kind: 'away', reason: 'cut_off' };

describe('after a look', () => {
  it('what was found is kept for a day, and that there is nothing for an hour', () => {
    expect(afterLook({ attempts: 3, ageMs: 0 }, { kind: 'found', preview }, Math.random)).toEqual({ state: 'found', preview, keepMs: 24 * HOUR });
    expect(afterLook({ attempts: 0, ageMs: 0 }, { kind: 'none', reason: 'status' }, Math.random)).toEqual({ state: 'none', failure: 'status', keepMs: HOUR });
  });

  it('a page that fails is tried five times, in most of an hour', () => {
    const tries = [0, 1, 2, 3, 4].map((attempts) => afterLook({ attempts, ageMs: 0 }, failed, () => 1));
    expect(tries).toEqual([
      ...[1, 4, 16, 32].map((minutes, n) => ({ state: 'waiting', attempts: n + 1, failure: 'timeout', retryInMs: minutes * MINUTE })),
      { state: 'none', failure: 'timeout', keepMs: HOUR },
    ]);
    expect([isLost({ attempts: 4 }), isLost({ attempts: 5 })]).toEqual([false, true]);
  });

  it('being cut off costs no try, for a day, and less and less often', () => {
    const waits = [0, MINUTE, 10 * MINUTE, HOUR, 23 * HOUR].map((ageMs) => afterLook({ attempts: 2, ageMs }, away, () => 1));
    expect(waits.map((settled) => (settled.state === 'waiting' ? [settled.attempts, settled.retryInMs / SECOND] : settled))).toEqual([[2, 20], [2, 20], [2, 150], [2, 600], [2, 600]]);
    expect(afterLook({ attempts: 2, ageMs: 24 * HOUR }, away, () => 1)).toEqual({ state: 'none', failure: 'cut_off', keepMs: 0 });
  });
});

describe('a message', () => {
  const urls = ['https://a.example/', 'https://b.example/'] as const;
  const page = (url: string, state: KnownPage['state'], attempts = 0): KnownPage => ({ hash: hashOf(url), state, attempts, preview: state === 'found' ? preview : null });
  const step = (pages: readonly KnownPage[], ageMs = 2 * SECOND, told = 0) => stepOf({ urls, told, ageMs }, pages);
  const [a, b] = urls;

  it('is told of all of its pages at once, in the order of its links, and done with', () => {
    expect(step([page(b, 'found'), page(a, 'found')])).toEqual({ tell: urls.map((url) => ({ url, ...preview })), againInMs: null });
    expect(step([page(a, 'none'), page(b, 'found')])).toEqual({ tell: [{ url: b, ...preview }], againInMs: null });
    expect(step([page(a, 'none'), page(b, 'none')])).toEqual({ tell: null, againInMs: null });
    expect(step([])).toEqual({ tell: null, againInMs: null });
  });

  it('waits for a page that nobody has asked for yet, and for a minute at most', () => {
    expect(step([page(a, 'found'), page(b, 'waiting')])).toEqual({ tell: null, againInMs: 400 });
    expect(step([page(a, 'found'), page(b, 'waiting')], MINUTE)).toEqual({ tell: [{ url: a, ...preview }], againInMs: 12 * SECOND });
    expect(step([page(a, 'waiting'), page(b, 'waiting')], 0)).toEqual({ tell: null, againInMs: 150 });
  });

  it('does not wait for one that has failed, is told of it later, and of nothing twice', () => {
    expect(step([page(a, 'found'), page(b, 'waiting', 1)])).toEqual({ tell: [{ url: a, ...preview }], againInMs: 400 });
    expect(step([page(a, 'found'), page(b, 'waiting', 1)], 10 * MINUTE, 1)).toEqual({ tell: null, againInMs: MINUTE });
    expect(step([page(a, 'found'), page(b, 'found')], 10 * MINUTE, 1)).toMatchObject({ tell: [{ url: a }, { url: b }], againInMs: null });
    expect(step([page(a, 'found'), page(b, 'none')], 10 * MINUTE, 1)).toEqual({ tell: null, againInMs: null });
  });

  it('is given up a day and an hour later, whatever its pages do', () => {
    expect(step([page(a, 'waiting', 1), page(b, 'found')], 25 * HOUR)).toEqual({ tell: [{ url: b, ...preview }], againInMs: null });
  });
});
