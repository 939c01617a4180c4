import type { IncomingMessage } from 'node:http';
import { type OutboundOptions, outboundFailure, requestPublic } from '../outbound/request.ts';
import { type Attempt, parseRetryAfter } from './schedule.ts';

/** `loopback`: and http, too. */
export interface PostOptions extends Omit<OutboundOptions, 'plain'> {
  /** Longest attempt, from resolving to the end of the answer's head, in milliseconds. */
  readonly timeoutMs: number;
  /** Longest that is read of an answer behind its head, in milliseconds; a second by default. */
  readonly answerMs?: number;
  readonly now: () => number;
}

export interface Post {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Most of an answer that is read, so that who answers much still sees its end; what it says is nobody's business. */
const MOST_ANSWER = 16 * 1024;
const ANSWER_MS = 1_000;

/** Posts once, to public addresses alone, and never throws. Nothing of the answer but its status and `Retry-After` counts. */
export async function post(message: Post, options: PostOptions, signal: AbortSignal): Promise<Attempt> {
  const startedAt = options.now();
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(options.timeoutMs)]);
  try {
    const headers = { ...message.headers, 'content-type': 'application/json', 'user-agent': 'Colink-Webhooks/1', accept: '*/*' };
    const request = { method: 'POST', url: new URL(message.url), headers, body: message.body } as const;
    const answer = await requestPublic(request, { ...options, plain: options.loopback }, deadline);
    const retryAfterMs = parseRetryAfter(answer.headers['retry-after'], options.now());
    const attempt: Attempt = { kind: 'answered', status: answer.statusCode ?? 0, latencyMs: options.now() - startedAt, retryAfterMs };
    await readSome(answer, options.answerMs ?? ANSWER_MS, deadline);
    return attempt;
  } catch (error) {
    return { kind: 'failed', failure: deadline.aborted ? 'timeout' : outboundFailure(error), latencyMs: options.now() - startedAt };
  }
}

async function readSome(answer: IncomingMessage, ms: number, signal: AbortSignal): Promise<void> {
  const timer = setTimeout(() => answer.destroy(), ms);
  let bytes = 0;
  try {
    for await (const chunk of answer) {
      bytes += Buffer.isBuffer(chunk) ? chunk.length : 0;
      if (bytes > MOST_ANSWER || signal.aborted) break;
    }
  } catch {
    // Its status has been heard.
  } finally {
    clearTimeout(timer);
    answer.destroy();
  }
}
