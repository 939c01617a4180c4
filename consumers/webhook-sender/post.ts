import { request as requestHttp, type ClientRequest, type IncomingMessage } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { LookupFunction } from 'node:net';
import { type CheckedAddress, checkedAddresses, ForbiddenAddressError, type Resolve } from './addresses.ts';
import { type Attempt, parseRetryAfter } from './schedule.ts';

export interface PostOptions {
  readonly resolve: Resolve;
  /** Loopback is fine, and http there: development alone. */
  readonly loopback: boolean;
  /** Longest attempt, from resolving to the end of the answer's head, in milliseconds. */
  readonly timeoutMs: number;
  /** Of certificate authorities besides the system's own, as PEM. */
  readonly ca?: string;
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

type Failure = Extract<Attempt, { kind: 'failed' }>['failure'];

/**
 * Posts once, and never throws. The host is resolved here and all its addresses are checked; the connection goes to one of them and to no other, whatever the name says by then.
 * TLS asks for the name of the URL. No redirect is followed, no connection is used again, nothing of the answer but its status and `Retry-After` counts.
 */
export async function post(message: Post, options: PostOptions, signal: AbortSignal): Promise<Attempt> {
  const startedAt = options.now();
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(options.timeoutMs)]);
  try {
    const url = new URL(message.url);
    const addresses = await before(deadline, checkedAddresses(url.hostname, options.resolve, options));
    const answer = await send(url, addresses, message, options, deadline);
    const retryAfterMs = parseRetryAfter(answer.headers['retry-after'], options.now());
    const attempt: Attempt = { kind: 'answered', status: answer.statusCode ?? 0, latencyMs: options.now() - startedAt, retryAfterMs };
    await readSome(answer, options.answerMs ?? ANSWER_MS, deadline);
    return attempt;
  } catch (error) {
    return { kind: 'failed', failure: deadline.aborted ? 'timeout' : failureOf(error), latencyMs: options.now() - startedAt };
  }
}

function before<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const late = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(new Error('too late')), { once: true });
  });
  return Promise.race([work, late]);
}

function send(url: URL, addresses: readonly CheckedAddress[], { headers, body }: Post, { loopback, ca }: PostOptions, signal: AbortSignal): Promise<IncomingMessage> {
  if (url.protocol !== 'https:' && !(loopback && url.protocol === 'http:')) throw new ForbiddenAddressError('not https');
  const options = {
    method: 'POST',
    agent: false,
    lookup: pinned(addresses),
    signal,
    headers: { ...headers, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), 'user-agent': 'Colink-Webhooks/1', accept: '*/*' },
    ...(ca !== undefined && { ca }),
  };
  const request = url.protocol === 'https:' ? requestHttps(url, options) : requestHttp(url, options);
  return answerOf(request, body);
}

function answerOf(request: ClientRequest, body: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once('response', resolve);
    request.once('upgrade', (_, socket) => {
      socket.destroy();
      reject(new Error('it wants to speak something else'));
    });
    // Errors after the answer's head, too, would end the process if nobody heard them.
    request.on('error', reject);
    request.end(body);
  });
}

/** Says the checked addresses, whatever is asked: between a check and a lookup of its own a name can change its mind. */
const pinned = (addresses: readonly CheckedAddress[]): LookupFunction =>
  function lookup(_hostname, { all }, callback) {
    const [first] = addresses;
    if (all === true) callback(null, [...addresses]);
    else if (first !== undefined) callback(null, first.address, first.family);
  };

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

function failureOf(error: unknown): Failure {
  if (error instanceof ForbiddenAddressError) return 'forbidden_address';
  if (!(error instanceof Error)) return 'connection';
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if ('syscall' in error && typeof error.syscall === 'string' && /^query|^getaddrinfo/.test(error.syscall)) return 'dns';
  return /CERT|SSL|TLS|SELF_SIGNED|UNABLE_TO/.test(code) ? 'tls' : 'connection';
}
