import type { Context } from 'hono';
import type { AppEnv } from './env.ts';

/**
 * What middleware gives to the answer of a request, as plain data until there is one: a header set, copied and sent by the platform's `Headers`
 * costs about 2 µs, and every answer has ten (workerd, 2026-11).
 */
export interface AnswerDraft {
  readonly headers: Record<string, string>;
  /** By `performance.now()`. */
  readonly startedAt: number;
  /** The answer has them already. */
  complete: boolean;
}

export const draftAnswer = (): AnswerDraft => ({ headers: {}, startedAt: performance.now(), complete: false });

/** Gives the answer a header, unless its route sets one of that name itself. */
export function giveHeader(c: Context<AppEnv>, name: string, value: string): void {
  c.get('answer').headers[name] = value;
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

/** Sets what is missing on an answer that was made in another way. */
export function completeAnswer(c: Context<AppEnv>): void {
  const draft = c.get('answer');
  // A switched protocol has no headers left to set.
  if (draft.complete || c.res.status === 101) return;
  const { headers } = c.res;
  for (const [name, value] of Object.entries(draft.headers)) if (!headers.has(name)) headers.set(name, value);
  headers.set('Server-Timing', serverTiming(draft));
}
