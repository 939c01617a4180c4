import type { Context } from 'hono';
import type { AppEnv } from './env.ts';

/**
 * What middleware gives to the answer of a request, as plain data until there is one. Each header that was set on the platform's `Headers`, copied
 * and set again cost a send 4 to 5 µs, and it has eleven (workerd, 2026-11).
 */
export interface AnswerDraft {
  readonly headers: Record<string, string>;
  /** By `performance.now()`. */
  readonly startedAt: number;
  /** The answer has them already. */
  complete: boolean;
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
