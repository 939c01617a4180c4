import type { ErrorCode, ProblemDocument } from '../protocol/errors.ts';

/** The server's refusal, as its problem document says it. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly problem: ProblemDocument;

  constructor(problem: ProblemDocument) {
    super(problem.detail ?? problem.title);
    this.problem = problem;
  }

  get code(): ErrorCode {
    return this.problem.code;
  }
}

/** No answer, or none that is Colink's: whether the request took effect is unknown. Repeating it is safe where it carries an id. */
export class NetworkError extends Error {
  override readonly name = 'NetworkError';
}

/** The connection has ended for good; `reason` is a close code's name, or an error code. */
export class ClosedError extends Error {
  override readonly name = 'ClosedError';
  readonly reason: string;

  constructor(reason: string) {
    super(`The connection is closed: ${reason}`);
    this.reason = reason;
  }
}

/** A bound of the client itself is reached (guarantee G8): try again once some of what is queued has gone. */
export class QueueFullError extends Error {
  override readonly name = 'QueueFullError';
}

/** Whether the very same request may succeed later: the `retry` of `ERRORS` in `protocol/errors.ts`, by status and code. */
export function isRetryable(error: unknown): boolean {
  if (error instanceof NetworkError) return true;
  if (!(error instanceof ProblemError)) return false;
  const { status, code } = error.problem;
  return status >= 500 || status === 429 || code === 'idempotency_in_flight' || code === 'file_not_clean';
}

/** What the server asked to wait, in milliseconds; 0 where it did not say. */
export function retryAfterMs(error: unknown): number {
  return error instanceof ProblemError ? (error.problem.retry_after ?? 0) * 1_000 : 0;
}
