import { integer, pick } from '../../client/testing/random.ts';
import type { RawRequest } from './raw-http.ts';

/** A request that a schema cannot draw: something is wrong with its bytes, its address or its headers. `isBad`: nothing but a refusal is right. */
interface Distorted {
  readonly request: RawRequest;
  readonly isBad: boolean;
}
type Random = () => number;
type Distortion = (request: RawRequest, random: Random) => Distorted;

const withBody = (request: RawRequest, body: string | Uint8Array): RawRequest => ({ ...request, body, headers: { ...request.headers, 'content-length': String(Buffer.byteLength(body)) } });
const withHeaders = (request: RawRequest, headers: Readonly<Record<string, string>>): RawRequest => ({ ...request, headers: { ...request.headers, ...headers } });
const textOf = ({ body }: RawRequest): string => (typeof body === 'string' ? body : '');

const TYPES = ['text/plain', 'application/xml', 'multipart/form-data', 'multipart/form-data; boundary=x', 'application/x-www-form-urlencoded', 'application/jsonx', 'application/', ';', 'a/b'];
/** JSON all the same: with parameters, in capitals, or of another suffix. */
const JSON_TYPES = ['application/json; charset=utf-16', 'APPLICATION/JSON', 'application/vnd.api+json', 'application/json;;'];
const NUMBERS = ['1e999', '-1e999', '123456789012345678901234567890', '-0', '1e-400', '0.1e1', '9007199254740993'];
/** Read by some as a key twice, or as what an object inherits. */
const KEYS = ['"__proto__":{"role":"admin"},', '"constructor":{"prototype":{}},', '"toString":1,', '"":0,', '"a\\u0000b":1,', '"\\ud83d":1,'];
const PIECES = ['%2F', '%00', '%ff', '%', '%E0%A4', '..', '%2e%2e%2f', '%0d%0aX-Injected:%201', 'x'.repeat(4_000), '%20', '%C3%A9', '%252F', ';a=b', '%5C', '@', '%F0%9F%91%8D', 'null', '-1', '0'];
const QUERIES = ['a=%ff', '%', '&&=&', 'limit=1&limit=2', 'cursor[]=a&cursor[a]=b', '__proto__=1&constructor=1', 'limit=1e3', 'limit=%2B5', 'limit=0x10', 'limit= 5'.replace(' ', '%20'), 'cursor=%00', 'q=%ED%A0%80', 'at=now&at=now', Array.from({ length: 500 }, (_, n) => `p${n}=${n}`).join('&')];
const HEADERS: readonly Readonly<Record<string, string>>[] = [
  { range: 'bytes=5-2' }, { range: 'bytes=-0' }, { range: 'bytes=0-0,1-1' }, { range: `bytes=${'9'.repeat(40)}-` },
  { 'if-match': '' }, { 'if-match': '*' }, { 'if-match': 'W/"1"' }, { 'if-match': '"1", "2"' }, { 'if-match': '"\u00e9"' }, { 'if-none-match': '"' }, { 'if-none-match': `"${'x'.repeat(4_000)}"` },
  { 'idempotency-key': '' }, { 'idempotency-key': 'x'.repeat(256) }, { 'idempotency-key': 'a, b' }, { 'idempotency-key': '\u00ff' },
  { 'content-encoding': 'gzip' }, { 'accept': 'text/html' }, { 'accept-encoding': 'identity;q=0' }, { 'accept-language': '\u00e9'.repeat(100) },
  { traceparent: '00-0-0-0' }, { traceparent: 'ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' }, { 'x-request-id': '\u00e9 x' }, { 'x-request-id': 'x'.repeat(4_000) },
  { 'colink-consistency': '0/0' }, { 'colink-consistency': 'FFFFFFFF/FFFFFFFF' }, { 'colink-consistency': '-1' }, { 'colink-consistency': '' },
  { cookie: '__Host-colink=; __Host-colink=x' }, { cookie: '=;;=%' }, { authorization: 'Bearer' }, { authorization: 'Basic Og==' }, { authorization: 'Bearer a.b.c' }, { authorization: '\u00e9' },
  { origin: 'null' }, { 'sec-fetch-site': 'cross-site' }, { host: 'evil.example' }, { 'x-forwarded-for': '::' }, { 'x-http-method-override': 'DELETE' }, { connection: 'upgrade', upgrade: 'h2c' },
];

const OF_BODIES: readonly Distortion[] = [
  (request) => ({ request: withBody(request, ''), isBad: true }),
  (request, random) => ({ request: withHeaders(request, { 'content-type': pick(random, TYPES) }), isBad: true }),
  (request, random) => ({ request: withHeaders(request, { 'content-type': pick(random, JSON_TYPES) }), isBad: false }),
  ({ headers, ...request }) => ({ request: { ...request, headers: Object.fromEntries(Object.entries(headers ?? {}).filter(([name]) => name !== 'content-type')) }, isBad: true }),
  (request, random) => ({ request: withBody(request, textOf(request).slice(0, -1 - integer(random, 3))), isBad: true }),
  (request) => ({ request: withBody(request, `${textOf(request)}${textOf(request)}`), isBad: true }),
  // A lone surrogate in UTF-8's way, and a byte that it has not got.
  (request, random) => ({ request: withBody(request, Buffer.concat([Buffer.from('{"'), Buffer.from(pick(random, [[0xed, 0xa0, 0x80], [0xff], [0xc0, 0x80]])), Buffer.from('":1}')])), isBad: true }),
  (request) => ({ request: withBody(request, Buffer.from(textOf(request), 'utf16le')), isBad: true }),
  (request, random) => ({ request: withBody(request, pick(random, ['['.repeat(20_000), `${'{"a":'.repeat(9_000)}1${'}'.repeat(9_000)}`, `[${'0,'.repeat(30_000)}0]`])), isBad: true }),
  (request, random) => ({ request: withBody(request, textOf(request).replace('{', `{${pick(random, KEYS)}`)), isBad: textOf(request).startsWith('{"') }),
  // The last of two is the one that counts.
  (request, random) => ({ request: withBody(request, textOf(request).replace(/\{("(?:[^"\\]|\\.)*":)/, `{$1${pick(random, NUMBERS)},$1`)), isBad: false }),
  (request, random) => ({ request: withBody(request, textOf(request).replace(/:-?\d+(?=[,}])/, `:${pick(random, NUMBERS)}`)), isBad: false }),
  (request) => ({ request: withBody(request, `\ufeff${textOf(request)}`), isBad: false }),
];

const OF_ADDRESSES: readonly Distortion[] = [
  ({ path, ...request }, random) => ({ request: { ...request, path: pieceChanged(path, random) }, isBad: false }),
  ({ path, ...request }, random) => ({ request: { ...request, path: `${path}${path.includes('?') ? '&' : '?'}${pick(random, QUERIES)}` }, isBad: false }),
  // Each parameter twice, with the same value.
  ({ path, ...request }) => ({ request: { ...request, path: path.replace(/\?(.+)$/, '?$1&$1') }, isBad: false }),
  ({ path, ...request }, random) => ({ request: { ...request, path: path.replace(/\?|$/, pick(random, ['/?', '//?', '/.?', '.json?'])) }, isBad: false }),
];

const OF_HEADERS: readonly Distortion[] = [
  (request, random) => ({ request: withHeaders(request, pick(random, HEADERS)), isBad: false }),
  (request, random) => ({ request: withHeaders(request, pick(random, HEADERS)), isBad: false }),
  (request, random) => ({ request: { ...request, method: pick(random, ['HEAD', 'OPTIONS', 'TRACE', 'PROPFIND', 'PUT', 'PATCH', 'DELETE', 'POST']) }, isBad: false }),
];

/** One segment of a path, past `/v1/`, becomes another. */
function pieceChanged(path: string, random: Random): string {
  const [before = '', query] = path.split('?', 2);
  const pieces = before.split('/');
  const at = 2 + integer(random, Math.max(1, pieces.length - 2));
  return `${pieces.map((piece, n) => (n === at ? pick(random, PIECES) : piece)).join('/')}${query === undefined ? '' : `?${query}`}`;
}

/** The request with one thing about it that no schema speaks of. */
export function distort(request: RawRequest, random: Random): Distorted {
  const isJson = request.headers?.['content-type'] === 'application/json' && typeof request.body === 'string';
  return pick(random, [...(isJson ? OF_BODIES : []), ...OF_ADDRESSES, ...OF_HEADERS])(request, random);
}
