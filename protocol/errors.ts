import { z } from 'zod';

/**
 * The one closed list of errors. It serves HTTP problem documents (RFC 9457), socket results, logs and metric labels.
 * `retry` says whether the very same request may succeed later.
 */
export const ERRORS = {
  unreadable_body: { status: 400, title: 'The body is not readable JSON', retry: false },
  bad_cursor: { status: 400, title: 'The cursor was not issued by this server for this list', retry: false },
  unauthenticated: { status: 401, title: 'Credentials are missing, unknown, expired or revoked', retry: false },
  forbidden: { status: 403, title: 'The caller may not do this', retry: false },
  not_a_member: { status: 403, title: 'The caller is not a member of this channel', retry: false },
  edit_window_over: { status: 403, title: 'The message is too old to be edited', retry: false },
  forged_origin: { status: 403, title: 'The request comes from a page of another origin', retry: false },
  not_found: { status: 404, title: 'There is no such thing, or the caller may not know of it', retry: false },
  method_not_allowed: { status: 405, title: 'The resource does not take this method', retry: false },
  conflict: { status: 409, title: 'The request contradicts the current state', retry: false },
  channel_archived: { status: 409, title: 'The channel is archived', retry: false },
  limit_reached: { status: 409, title: 'There are as many of these as there may be', retry: false },
  idempotency_in_flight: { status: 409, title: 'The first request with this key is still running', retry: true },
  file_not_clean: { status: 409, title: 'The file is still being scanned', retry: true },
  file_infected: { status: 410, title: 'The file is infected, and is served to nobody', retry: false },
  length_required: { status: 411, title: 'This route needs Content-Length', retry: false },
  precondition_failed: { status: 412, title: 'The resource has another version by now', retry: false },
  body_too_large: { status: 413, title: 'The body is larger than this route takes', retry: false },
  quota_exceeded: { status: 413, title: 'There is no room left for this', retry: false },
  unsupported_media_type: { status: 415, title: 'The body is not application/json', retry: false },
  range_not_satisfiable: { status: 416, title: 'The content has no such range', retry: false },
  invalid: { status: 422, title: 'The request does not match its schema', retry: false },
  idempotency_mismatch: { status: 422, title: 'This key was used with another request', retry: false },
  upgrade_required: { status: 426, title: 'This route speaks WebSocket only', retry: false },
  precondition_required: { status: 428, title: 'This route needs If-Match', retry: false },
  rate_limited: { status: 429, title: 'Too many requests', retry: true },
  internal: { status: 500, title: 'An unexpected fault', retry: true },
  unavailable: { status: 503, title: 'A store this needs is away', retry: true },
  room_backlogged: { status: 503, title: 'The channel holds as many unstored events as it may', retry: true },
} as const satisfies Record<string, { status: number; title: string; retry: boolean }>;

export type ErrorCode = keyof typeof ERRORS;
export const errorCodes = Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]];

/** Where a request misses its schema: `pointer` is a JSON pointer into the body (`/text`), or `?name` for a query parameter. */
export const fieldErrorSchema = z.strictObject({ pointer: z.string(), detail: z.string() });
export type FieldError = z.infer<typeof fieldErrorSchema>;

/** An error as data: what cores return and RPC carries. `retry_after` in seconds. */
export interface Problem {
  readonly code: ErrorCode;
  readonly detail?: string;
  readonly retry_after?: number;
  readonly errors?: readonly FieldError[];
}

/** The problem document (`application/problem+json`) and the `problem` of a socket result. */
export const problemSchema = z
  .strictObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.enum(errorCodes),
    detail: z.string().optional(),
    request_id: z.string().optional(),
    retry_after: z.number().optional(),
    errors: z.array(fieldErrorSchema).optional(),
  })
  .meta({ id: 'Problem' });
export type ProblemDocument = z.infer<typeof problemSchema>;

/** Either a value or a problem: the return of every core operation that can be refused. */
export type Outcome<T> = { readonly ok: T } | { readonly problem: Problem };

export function problemDocument(problem: Problem, requestId?: string): ProblemDocument {
  const { status, title } = ERRORS[problem.code];
  return {
    type: `urn:colink:problem:${problem.code}`,
    title,
    status,
    code: problem.code,
    ...(problem.detail !== undefined && { detail: problem.detail }),
    ...(requestId !== undefined && { request_id: requestId }),
    ...(problem.retry_after !== undefined && { retry_after: problem.retry_after }),
    ...(problem.errors !== undefined && { errors: [...problem.errors] }),
  };
}

/** RFC 6901 pointers for zod's issues; each unknown field has its own. */
export function fieldErrors(error: z.ZodError): FieldError[] {
  return error.issues
    .flatMap((issue): FieldError[] =>
      issue.code === 'unrecognized_keys'
        ? issue.keys.map((key) => ({ pointer: jsonPointer([...issue.path, key]), detail: 'is not a field of this schema' }))
        : [{ pointer: jsonPointer(issue.path), detail: issue.message }],
    )
    .slice(0, 20);
}

const jsonPointer = (path: readonly PropertyKey[]): string =>
  path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
