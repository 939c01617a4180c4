import type { Context } from 'hono';
import type { AnswerDraft, AppEnv } from './env.ts';

const ACCEPTABLE = /^[A-Za-z0-9._-]{8,64}$/;

/** The API answers data: no browser is to run, frame, guess at or keep any of it. */
const SECURITY = {
  'X-Content-Type-Options': 'nosniff',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Referrer-Policy': 'no-referrer',
  'Cache-Control': 'no-store',
} as const;
/** Over plain http it must not be sent (RFC 6797, section 7.2). */
const SECURITY_OVER_TLS = { ...SECURITY, 'Strict-Transport-Security': 'max-age=31536000; includeSubDomains' } as const;

/**
 * Begins what every answer has. Names the request `X-Request-Id`, as the caller named it, else by the isolate's random prefix and a count, which costs
 * no random bytes each time.
 */
export function answerDrafts(): (c: Context<AppEnv>) => AnswerDraft {
  let prefix = '';
  let count = 0;
  const ownId = (): string => {
    // The platform gives out random bytes within requests only.
    prefix ||= crypto.randomUUID().slice(0, 13);
    return `${prefix}-${(count++).toString(36)}`;
  };
  return (c) => {
    const given = c.req.raw.headers.get('x-request-id');
    const requestId = given !== null && ACCEPTABLE.test(given) ? given : ownId();
    const security = c.req.raw.url.startsWith('https:') ? SECURITY_OVER_TLS : SECURITY;
    const draft: AnswerDraft = { headers: { ...security, 'X-Request-Id': requestId }, startedAt: performance.now(), complete: false };
    c.set('requestId', requestId);
    c.set('answer', draft);
    return draft;
  };
}

const serverTiming = ({ startedAt }: AnswerDraft): string => `total;dur=${(performance.now() - startedAt).toFixed(1)}`;

/** JSON with all headers at once, for routes that cannot afford the framework's way. */
export function answerJson(c: Context<AppEnv>, status: number, body: unknown, headers: Readonly<Record<string, string>>): Response {
  const draft = c.get('answer');
  draft.complete = true;
  return new Response(JSON.stringify(body), {
    status,
    headers: { ...draft.headers, 'Server-Timing': serverTiming(draft), 'Content-Type': 'application/json', ...headers },
  });
}

/** Sets what is missing on an answer that was made in another way; what its route has set itself stays. */
export function completeAnswer(c: Context<AppEnv>, draft: AnswerDraft): void {
  // A switched protocol has no headers left to set.
  if (draft.complete || c.res.status === 101) return;
  const { headers } = c.res;
  for (const [name, value] of Object.entries(draft.headers)) if (!headers.has(name)) headers.set(name, value);
  headers.set('Server-Timing', serverTiming(draft));
}
