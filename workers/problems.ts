import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { classifyPostgresError } from '../db/errors.ts';
import { ERRORS, problemDocument, type ErrorCode, type Outcome, type Problem } from '../protocol/errors.ts';
import { DeadlineError } from './deadline.ts';
import type { AppEnv } from './env.ts';

/** A refusal on its way to the one place that answers it. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly problem: Problem;
  readonly headers: Readonly<Record<string, string>>;

  constructor(problem: Problem, headers: Readonly<Record<string, string>> = {}) {
    super(problem.code);
    this.problem = problem;
    this.headers = headers;
  }
}

/** The value of an outcome, or its problem thrown. */
export function unwrap<T>(outcome: Outcome<T>): T {
  if ('problem' in outcome) throw new ProblemError(outcome.problem);
  return outcome.ok;
}

/** Seconds to wait where nobody knows better. */
const RETRY_AFTER: Partial<Record<ErrorCode, number>> = { idempotency_in_flight: 1, rate_limited: 60, unavailable: 1, room_backlogged: 5 };

/** `Retry-After` of a problem, where it has one. */
export function retryAfterOf({ code, retry_after }: Problem): { readonly 'Retry-After'?: string } {
  const seconds = retry_after ?? RETRY_AFTER[code];
  return seconds === undefined ? {} : { 'Retry-After': String(Math.max(1, Math.ceil(seconds))) };
}

/** What an answer to a problem has, whatever its body is. */
export const headersOf = (problem: Problem): Readonly<Record<string, string>> => ({
  ...retryAfterOf(problem),
  ...(problem.code === 'unauthenticated' && { 'WWW-Authenticate': 'Bearer realm="colink"' }),
});

export function problemResponse(c: Context<AppEnv>, problem: Problem, headers: Readonly<Record<string, string>> = {}): Response {
  const retryAfter = problem.retry_after ?? RETRY_AFTER[problem.code];
  const document = problemDocument({ ...problem, ...(retryAfter !== undefined && { retry_after: retryAfter }) }, c.get('requestId'));
  return c.body(JSON.stringify(document), ERRORS[problem.code].status, {
    'Content-Type': 'application/problem+json',
    'Cache-Control': 'no-store',
    ...headersOf(problem),
    ...headers,
  });
}

/** The answer to any failure, as a problem. */
export const answerError = (error: Error, c: Context<AppEnv>): Response => problemResponse(c, problemOf(error, c), error instanceof ProblemError ? error.headers : {});

/** Any failure as a problem. What nobody foresaw is logged and is `internal`: no stack and no message of it leaves the process. */
export function problemOf(error: Error, c: Context<AppEnv>): Problem {
  if (error instanceof ProblemError) return error.problem;
  if (error instanceof HTTPException) return { code: codeOf(error.status) };
  const unreachable = error instanceof DeadlineError || classifyPostgresError(error) === 'unreachable';
  console.error(JSON.stringify({ level: unreachable ? 'warn' : 'error', request_id: c.get('requestId'), method: c.req.method, path: loggedPath(c.req.path), ...describe(error) }));
  return { code: unreachable ? 'unavailable' : 'internal' };
}

/** The path of an incoming webhook is its secret, and so is that of a link which ends digests. */
const loggedPath = (path: string): string => path.replace(/^\/(hooks|unsubscribe)\/.*$/s, '/$1/…');

/** What the validators of the framework throw. */
function codeOf(status: number): ErrorCode {
  if (status === 413) return 'body_too_large';
  if (status === 415) return 'unsupported_media_type';
  return status < 500 ? 'unreadable_body' : 'internal';
}

/** Query builders put the values of a query into their messages, and those may be what people wrote: log the cause's words, not theirs. */
function describe(error: Error): { error: string; cause: string; stack: string | undefined } {
  const root = error.cause instanceof Error ? error.cause : error;
  const frames = error.stack?.split('\n').filter((line) => /^\s+at /.test(line)).slice(0, 8).join('\n');
  return { error: error.name, cause: root === error && 'query' in error ? '' : root.message, stack: frames };
}
