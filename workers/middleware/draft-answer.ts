import type { MiddlewareHandler } from 'hono';
import { completeAnswer, type AnswerDraft } from '../answer.ts';
import type { AppEnv } from '../env.ts';

const ACCEPTABLE = /^[A-Za-z0-9._-]{8,64}$/;

/** The API answers data: no browser is to run, frame, guess at or keep any of it. */
const SECURITY = {
  'X-Content-Type-Options': 'nosniff',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Strict-Transport-Security': 'max-age=31536000; includeSubDomains',
  'Referrer-Policy': 'no-referrer',
  'Cache-Control': 'no-store',
} as const;

/**
 * Outermost: what every answer has. Names the request `X-Request-Id`, as the caller named it, else by the isolate's random prefix and a count, which costs
 * no random bytes each time.
 */
export function draftAnswer(): MiddlewareHandler<AppEnv> {
  let prefix = '';
  let count = 0;
  const ownId = (): string => {
    // The platform gives out random bytes within requests only.
    prefix ||= crypto.randomUUID().slice(0, 13);
    return `${prefix}-${(count++).toString(36)}`;
  };
  return async function draftAnswerMiddleware(c, next) {
    const given = c.req.raw.headers.get('x-request-id');
    const requestId = given !== null && ACCEPTABLE.test(given) ? given : ownId();
    const draft: AnswerDraft = { headers: { ...SECURITY, 'X-Request-Id': requestId }, startedAt: performance.now(), complete: false };
    c.set('requestId', requestId);
    c.set('answer', draft);
    await next();
    completeAnswer(c, draft);
  };
}
