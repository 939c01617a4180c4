import type { IncomingMessage } from 'node:http';
import type { TextDecoder } from 'node:util';
import { MAX_PREVIEW_URL } from '../../protocol/limits.ts';
import { type OutboundOptions, outboundFailure, requestPublic } from '../outbound/request.ts';
import { decoderOf, HEAD_BYTES } from './charset.ts';
import { type LinkRules, mayAsk } from './links.ts';
import { type FoundPreview, PageReader } from './page-reader.ts';

export interface LookOptions extends Omit<OutboundOptions, 'plain'>, LinkRules {
  /** Longest for all of it, redirects and content included, in milliseconds. */
  readonly timeoutMs: number;
  /** Whether another page of the host may be asked for now; if so, what to call when that is over. Null: it is asked enough. */
  readonly enter: (url: URL) => (() => void) | null;
}

/**
 * What came of asking for a page. `none`: it has nothing to show, and will hardly have soon. `failed`: it may have, another time. `away`: this side is cut off, and nothing is known of
 * the page. `reason`: of a closed list, without a word of the page's or its address.
 */
export type Look =
  | { readonly kind: 'found'; readonly preview: FoundPreview }
  | { readonly kind: 'none'; readonly reason: 'forbidden_address' | 'forbidden_redirect' | 'too_many_redirects' | 'status' | 'not_html' | 'encoded' | 'no_title' }
  | { readonly kind: 'failed'; readonly reason: 'dns' | 'tls' | 'connection' | 'timeout' | 'status' | 'busy' }
  | { readonly kind: 'away'; readonly reason: 'cut_off' };

const MOST_REDIRECTS = 3;
/** Most that is read of a page. Its title is nearly always within a tenth of that. */
const MOST_BYTES = 512 * 1024;

const HEADERS = {
  'user-agent': 'Colink-LinkPreviews/1 (fetches the title of a linked page once a day)',
  accept: 'text/html,application/xhtml+xml',
  // Nothing is ever unpacked: a small answer is a small page.
  'accept-encoding': 'identity',
};

/**
 * Asks for a page as anybody could, and reads what it says of itself. Each host on the way is resolved and checked anew, and the connection goes to the addresses that were checked. No
 * cookies, credentials or referrer go out; nothing of the page is run. Never throws.
 */
export async function lookUp(address: string, options: LookOptions, signal: AbortSignal): Promise<Look> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(options.timeoutMs)]);
  try {
    return await follow(new URL(address), options, deadline);
  } catch (error) {
    return deadline.aborted ? { kind: 'failed', reason: 'timeout' } : lookOf(error);
  }
}

async function follow(first: URL, options: LookOptions, signal: AbortSignal): Promise<Look> {
  let url = first;
  for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects += 1) {
    if (!mayAsk(url, options)) return { kind: 'none', reason: redirects === 0 ? 'forbidden_address' : 'forbidden_redirect' };
    const next = await ask(url, options, signal);
    if (!(next instanceof URL)) return next;
    // Whoever is on the way could have written what is there.
    if (url.protocol === 'https:' && next.protocol !== 'https:') return { kind: 'none', reason: 'forbidden_redirect' };
    url = next;
  }
  return { kind: 'none', reason: 'too_many_redirects' };
}

async function ask(url: URL, options: LookOptions, signal: AbortSignal): Promise<Look | URL> {
  const leave = options.enter(url);
  if (leave === null) return { kind: 'failed', reason: 'busy' };
  try {
    const answer = await requestPublic({ method: 'GET', url, headers: HEADERS, body: null }, { ...options, plain: true }, signal);
    try {
      return redirectOf(answer, url) ?? unfitOf(answer) ?? (await readPage(answer, signal));
    } finally {
      answer.destroy();
    }
  } finally {
    leave();
  }
}

function redirectOf({ statusCode = 0, headers: { location } }: IncomingMessage, from: URL): URL | null {
  if (![301, 302, 303, 307, 308].includes(statusCode) || location === undefined || location.length > MAX_PREVIEW_URL) return null;
  return URL.parse(location, from.href);
}

/** Statuses that say that another time may be better. */
const PASSING = new Set([408, 425, 429]);

function unfitOf({ statusCode = 0, headers }: IncomingMessage): Look | null {
  if (statusCode >= 500 || PASSING.has(statusCode)) return { kind: 'failed', reason: 'status' };
  if (statusCode !== 200) return { kind: 'none', reason: 'status' };
  if (!/^\s*(?:text\/html|application\/xhtml\+xml)\s*(?:;|$)/i.test(headers['content-type'] ?? '')) return { kind: 'none', reason: 'not_html' };
  return ['identity', ''].includes(headers['content-encoding']?.trim().toLowerCase() ?? '') ? null : { kind: 'none', reason: 'encoded' };
}

async function readPage(answer: IncomingMessage, signal: AbortSignal): Promise<Look> {
  const reader = new PageReader();
  for await (const text of decoded(answer)) {
    reader.read(text);
    if (reader.isOver) break;
  }
  // An answer without a length ends where its connection does, be it we who ended it.
  signal.throwIfAborted();
  const preview = reader.finish();
  return preview === null ? { kind: 'none', reason: 'no_title' } : { kind: 'found', preview };
}

/** A page as text, `MOST_BYTES` of it at most. */
async function* decoded(answer: IncomingMessage): AsyncGenerator<string> {
  let [head, bytes, decoder]: [Buffer, number, TextDecoder | null] = [Buffer.alloc(0), 0, null];
  const type = answer.headers['content-type'] ?? '';
  for await (const chunk of answer) {
    if (!Buffer.isBuffer(chunk)) continue;
    const fitting = chunk.subarray(0, MOST_BYTES - bytes);
    bytes += fitting.length;
    if (decoder !== null) yield decoder.decode(fitting, { stream: true });
    else {
      head = Buffer.concat([head, fitting]);
      if (head.length < HEAD_BYTES) continue;
      decoder = decoderOf(type, head.subarray(0, HEAD_BYTES));
      yield decoder.decode(head, { stream: true });
    }
    if (bytes === MOST_BYTES) return;
  }
  if (decoder === null) yield decoderOf(type, head).decode(head);
}

/** c-ares could not ask its servers, or none of them answered, or they could ask nobody. */
const NO_RESOLVER = new Set(['ECONNREFUSED', 'ETIMEOUT', 'ESERVFAIL']);
/** This machine has no way to there. */
const NO_WAY = new Set(['ENETUNREACH', 'ENETDOWN', 'EHOSTUNREACH', 'EADDRNOTAVAIL']);

function lookOf(error: unknown): Look {
  const reason = outboundFailure(error);
  if (reason === 'forbidden_address') return { kind: 'none', reason };
  const codes = reason === 'dns' ? NO_RESOLVER : NO_WAY;
  return causesOf(error).some((code) => codes.has(code)) ? { kind: 'away', reason: 'cut_off' } : { kind: 'failed', reason };
}

/** Of an attempt at many addresses, those of each. */
function causesOf(error: unknown): string[] {
  if (error instanceof AggregateError) return error.errors.flatMap(causesOf);
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? [error.code] : [];
}
