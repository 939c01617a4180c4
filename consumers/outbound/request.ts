import { request as requestHttp, type ClientRequest, type IncomingMessage } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { LookupFunction } from 'node:net';
import { type CheckedAddress, checkedAddresses, ForbiddenAddressError, type Resolve } from './addresses.ts';

export interface OutboundOptions {
  readonly resolve: Resolve;
  /** Addresses of loopback are fine: development alone. */
  readonly loopback: boolean;
  /** Whether http is fine, too. */
  readonly plain: boolean;
  /** Of certificate authorities besides the system's own, as PEM. */
  readonly ca?: string;
}

export interface OutboundRequest {
  readonly method: 'GET' | 'POST';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** A string goes as UTF-8. Null: none. */
  readonly body: string | Uint8Array | null;
}

/** Why there was no answer. `forbidden_address`: it was not asked, for the host has an address that is not public, or the URL is none that may be asked. */
export type OutboundFailure = 'forbidden_address' | 'dns' | 'tls' | 'connection';

/**
 * Asks a host that a stranger named, once, until `signal` aborts: the answer, its head read and its body not. The host is resolved here and all its addresses are checked; the
 * connection goes to one of them and to no other, whatever the name says by then. TLS asks for the name of the URL. No redirect is followed, no connection is used again, no proxy asked.
 * Whoever calls destroys the answer, or reads it to its end.
 * @throws what `outboundFailure` tells apart.
 */
export async function requestPublic(request: OutboundRequest, options: OutboundOptions, signal: AbortSignal): Promise<IncomingMessage> {
  signal.throwIfAborted();
  const addresses = await before(signal, checkedAddresses(request.url.hostname, options.resolve, options));
  return send(request, addresses, options, signal);
}

function before<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const late = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(new Error('too late')), { once: true });
  });
  return Promise.race([work, late]);
}

function send({ method, url, headers, body }: OutboundRequest, addresses: readonly CheckedAddress[], { plain, ca }: OutboundOptions, signal: AbortSignal): Promise<IncomingMessage> {
  if (url.protocol !== 'https:' && !(plain && url.protocol === 'http:')) throw new ForbiddenAddressError('not https');
  const options = {
    method,
    agent: false,
    lookup: pinned(addresses),
    signal,
    headers: { ...headers, ...(body !== null && { 'content-length': Buffer.byteLength(body) }) },
    ...(ca !== undefined && { ca }),
  };
  const request = url.protocol === 'https:' ? requestHttps(url, options) : requestHttp(url, options);
  return answerOf(request, body);
}

function answerOf(request: ClientRequest, body: OutboundRequest['body']): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once('response', resolve);
    request.once('upgrade', (_, socket) => {
      socket.destroy();
      reject(new Error('it wants to speak something else'));
    });
    // Errors after the answer's head, too, would end the process if nobody heard them.
    request.on('error', reject);
    request.end(body ?? undefined);
  });
}

/** Says the checked addresses, whatever is asked: between a check and a lookup of its own a name can change its mind. */
const pinned = (addresses: readonly CheckedAddress[]): LookupFunction =>
  function lookup(_hostname, { all }, callback) {
    const [first] = addresses;
    if (all === true) callback(null, [...addresses]);
    else if (first !== undefined) callback(null, first.address, first.family);
  };

/** What kept a request from being answered. */
export function outboundFailure(error: unknown): OutboundFailure {
  if (error instanceof ForbiddenAddressError) return 'forbidden_address';
  if (!(error instanceof Error)) return 'connection';
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if ('syscall' in error && typeof error.syscall === 'string' && /^query|^getaddrinfo/.test(error.syscall)) return 'dns';
  return /CERT|SSL|TLS|SELF_SIGNED|UNABLE_TO/.test(code) ? 'tls' : 'connection';
}
