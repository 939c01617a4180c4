import { createRoute, type RouteConfig, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { CONSISTENCY_HEADER } from '../protocol/consistency.ts';
import { ERRORS, fieldErrors, problemSchema, type ErrorCode } from '../protocol/errors.ts';
import { idSchema } from '../protocol/primitives.ts';
import type { Scope } from '../protocol/scopes.ts';
import type { AppEnv } from './env.ts';
import { idempotencyKey, KEY_FORM, KEY_RULE } from './idempotency-key.ts';
import { guard } from './middleware/guard.ts';
import { limitRate, type PolicyName } from './middleware/limit-rate.ts';
import { refuseUnknownQuery } from './middleware/refuse-unknown-query.ts';
import { requireScope } from './middleware/require-scope.ts';
import { requireUtf8 } from './middleware/require-utf8.ts';
import { problemResponse } from './problems.ts';

/** What a route asks of its caller. */
interface Access {
  readonly scope: Scope;
  /** Null: not limited. */
  readonly limit: PolicyName | null;
  /** It reads its body by `readBody`, instead of the framework's validators. */
  readonly readsBody?: true;
}

type Config = Omit<RouteConfig, 'path' | 'middleware' | 'security'>;

/** A route of `/v1` for authenticated callers: its scope, its rate limit, and the problems it may answer, all from one description. */
export function apiRoute<const P extends string, const C extends Config>({ scope, limit, readsBody }: Access, path: P, config: C) {
  return createRoute({
    ...config,
    path,
    security: [{ bearer: [scope] }, { session: [] }],
    // What is refused counts, too: no caller asks more often than they may by asking wrongly.
    middleware: [guard([...(limit === null ? [] : [limitRate(limit)]), requireScope(scope), refuseUnknownQuery(queryNames(config)), ...(config.method === 'get' ? [] : [refuseBadKey]), ...(config.request?.body && !readsBody ? [requireUtf8()] : [])])],
    responses: { ...problemsOf(limit, path, config), ...config.responses },
  });
}

/** The answer of a route as JSON. */
export const json = <S extends z.ZodType>(schema: S, description: string, example?: z.output<S>) => ({
  content: { 'application/json': { schema, ...(example !== undefined && { example }) } },
  description,
});
export const jsonBody = <S extends z.ZodType>(schema: S, example?: z.input<S>) => ({
  body: { content: { 'application/json': { schema, ...(example !== undefined && { example }) } }, required: true },
});

/** Of every change, also where a repetition is harmless by itself and the key is of no use. */
function refuseBadKey(c: Context<AppEnv>): null {
  idempotencyKey(c.req.raw.headers);
  return null;
}

export const keyHeader = z.object({
  'idempotency-key': z
    .string()
    .regex(KEY_FORM, KEY_RULE)
    .optional()
    .openapi({ description: 'Makes repetitions harmless for 24 hours' }),
});

/** For reads that a replica may answer. Whatever it is, it is taken. */
export const nearHeader = z.object({
  [CONSISTENCY_HEADER.toLowerCase()]: z.string().optional().openapi({ description: `The ${CONSISTENCY_HEADER} of an answer to a change: what is read shows that change. Without it, it may be up to 5 s old` }),
});

export const channelParams = z.object({ id: idSchema });
export const messageParams = channelParams.extend({ message_id: idSchema });

const ALWAYS: readonly ErrorCode[] = ['unauthenticated', 'forbidden', 'invalid', 'internal', 'unavailable'];
/** A body is bounded, and read for the fingerprint of a key, also where a route has no use for one. */
const OF_CHANGES: readonly ErrorCode[] = ['idempotency_in_flight', 'body_too_large', 'unreadable_body'];
const CURSORS = ['cursor', 'before', 'after'];

const queryNames = ({ request }: Config): string[] => Object.keys(request?.query instanceof z.ZodObject ? request.query.shape : {});

/** What a route may answer besides its own; that wins where both have a status. Typed as nothing: routes throw problems, they do not return them. */
function problemsOf(limit: PolicyName | null, path: string, config: Config): object {
  const { method, request } = config;
  const query = queryNames(config);
  const codes: readonly ErrorCode[] = [
    ...ALWAYS,
    ...(limit === null ? [] : (['rate_limited'] as const)),
    ...(method === 'get' ? [] : OF_CHANGES),
    ...(path.includes('{') ? (['not_found'] as const) : []),
    ...(request?.body ? (['unsupported_media_type'] as const) : []),
    ...(CURSORS.some((name) => query.includes(name)) ? (['bad_cursor'] as const) : []),
  ];
  return Object.fromEntries(codes.map((code) => [ERRORS[code].status, problemAnswer(code)]));
}

export const problemAnswer = (code: ErrorCode) => ({
  content: { 'application/problem+json': { schema: problemSchema } },
  description: ERRORS[code].title,
});

type Validated = { readonly target: string } & ({ readonly success: true } | { readonly success: false; readonly error: z.ZodError });

/** What fails a schema is 422 with the places; an id of the wrong form in the path names nothing, thus 404. */
export function refuseInvalid(result: Validated, c: Context<AppEnv>): Response | undefined {
  if (result.success) return undefined;
  const errors = fieldErrors(result.error);
  if (result.target === 'param' && errors.some(({ pointer }) => pointer.endsWith('id'))) return problemResponse(c, { code: 'not_found' });
  return problemResponse(c, { code: 'invalid', errors: errors.map(({ pointer, detail }) => ({ pointer: place(result.target, pointer), detail })) });
}

const place = (target: string, pointer: string): string => (target === 'query' ? pointer.replace('/', '?') : pointer);
