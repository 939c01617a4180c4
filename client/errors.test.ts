import { expect, it } from 'vitest';
import { ERRORS, errorCodes, problemDocument } from '../protocol/errors.ts';
import { NetworkError, ProblemError, isRetryable, retryAfterMs } from './errors.ts';

it.each(errorCodes)('%s is retried exactly when the list of errors says so (P47)', (code) => {
  expect(isRetryable(new ProblemError(problemDocument({ code })))).toBe(ERRORS[code].retry);
});

it('retries what got no answer, and nothing unknown', () => {
  expect(isRetryable(new NetworkError('away'))).toBe(true);
  expect(isRetryable(new TypeError('a bug'))).toBe(false);
});

it('reads how long to wait', () => {
  expect(retryAfterMs(new ProblemError(problemDocument({ code: 'unavailable', retry_after: 2 })))).toBe(2_000);
  expect(retryAfterMs(new NetworkError('away'))).toBe(0);
});
