import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { ScanJob } from '../../db/queries/file-scans.ts';
import { InfrastructureError } from '../runtime/classify.ts';
import { ClamdAway, ClamdFailed, ScanUnfinished, Unscannable } from './failures.ts';
import { afterFailure, isAway, refuseLost } from './outcome.ts';

const ports = { retry: { first: 1_000, most: 60_000 }, awayMs: 500, random: () => 0.5 };
const job = (attempts: number): ScanJob => ({
  fileId: randomUUID(), lease: randomUUID(), attempts, size: 1, mediaType: 'text/plain', sha256: '', status: 'pending_scan', thumbnails: [],
});
const reset = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
const away = new ClamdAway('the connection to clamd broke', { cause: reset });

describe('what follows a try that failed', () => {
  it.each([
    ['clamd away', away],
    ['the Worker away', new InfrastructureError('the Worker answered 503')],
    ['Postgres away', reset],
  ])('is another, soon and at no cost to the file, with %s', (_, error) => {
    for (const attempts of [0, 9, 1_000]) expect(afterFailure(job(attempts), error, ports)).toMatchObject({ state: 'waiting', attempts, retryInMs: 750 });
    expect(isAway(error)).toBe(true);
  });

  it('is three more for what is the file’s fault, later and later', () => {
    const tries = [0, 1, 2, 3].map((attempts) => afterFailure(job(attempts), new Unscannable('clamd: too large'), ports));
    expect(tries.map(({ state, attempts, retryInMs }) => [state, attempts, retryInMs])).toEqual([['waiting', 1, 750], ['waiting', 2, 1_500], ['waiting', 3, 3_000], ['refused', 4, 6_000]]);
    expect(tries[3]?.failure).toBe('Unscannable: clamd: too large');
  });

  it.each([
    ['comes to no end', new ScanUnfinished('the try took too long')],
    ['breaks off, with a broken socket for its cause', new ScanUnfinished('clamd broke off with it', { cause: away })],
    ['ends clamd', new ClamdFailed('clamd ended with it', { cause: away })],
  ])('is ten more for what %s: it may be the file that does it', (_, error) => {
    const states = Array.from({ length: 11 }, (_try, attempts) => afterFailure(job(attempts), error, ports).state);
    expect(states).toEqual([...Array.from({ length: 10 }, () => 'waiting'), 'refused']);
    expect(isAway(error)).toBe(false);
  });

  it('is none for one whose process has died with it ten times', () => {
    expect(() => refuseLost(job(10))).not.toThrow();
    expect(() => refuseLost(job(11))).toThrow(ScanUnfinished);
    expect(afterFailure(job(11), new ScanUnfinished('again and again'), ports).state).toBe('refused');
  });
});
