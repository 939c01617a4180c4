import type { ErrorCode } from '../../protocol/errors.ts';
import { MAX_BODY_BYTES, MAX_TEXT } from '../../protocol/limits.ts';
import type { RawRequest } from './raw-http.ts';

/** Things that are there, for requests that name them wrongly or without the right. All ids. */
export interface Known {
  readonly channel: string;
  /** A channel of somebody else, private. */
  readonly hidden: string;
  /** A message of the caller, and one of somebody else, both in `channel`. */
  readonly own: string;
  readonly foreign: string;
}

/** `as`: who asks; without it the caller with a good token. */
export interface BadRequest extends RawRequest {
  readonly name: string;
  readonly code: ErrorCode;
  readonly as?: 'nobody';
}

const NOWHERE = '00000000-0000-7000-8000-000000000000';
const MESSAGE = '{"client_msg_id":"a","text":"a"}';
const json = { 'content-type': 'application/json' };

const post = (path: string, body: string | Uint8Array): RawRequest => ({ method: 'POST', path, headers: json, body });
const bytes = (...parts: (string | number[])[]): Uint8Array => Buffer.concat(parts.map((part) => Buffer.from(part as string)));

/** Bodies that no message can be made of. */
const BODIES: [name: string, body: string | Uint8Array, code: ErrorCode][] = [
  ['no body', '', 'unreadable_body'],
  ['half an object', '{"text":"a"', 'unreadable_body'],
  ['two objects', '{"text":"a"}{"text":"b"}', 'unreadable_body'],
  ['a byte order mark and nothing', '\ufeff', 'unreadable_body'],
  ['bytes that are not UTF-8', bytes('{"client_msg_id":"bytes","text":"', [0xff, 0xfe, 0xc0], '"}'), 'unreadable_body'],
  ['an unescaped NUL', bytes('{"text":"a', [0], 'b"}'), 'unreadable_body'],
  ['null', 'null', 'invalid'],
  ['an array', '[{"text":"a"}]', 'invalid'],
  ['a string', '"text"', 'invalid'],
  ['a number for text', '{"text":1}', 'invalid'],
  ['an object for text', '{"text":{"toString":"a"}}', 'invalid'],
  ['null for text', '{"text":null}', 'invalid'],
  ['no text', '{}', 'invalid'],
  ['blank text', String.raw`{"text":" \n\t\u2003"}`, 'invalid'],
  ['an escaped NUL', String.raw`{"text":"a\u0000b"}`, 'invalid'],
  ['a lone surrogate', String.raw`{"text":"a\ud83d"}`, 'invalid'],
  ['text one unit too long', JSON.stringify({ text: 'x'.repeat(MAX_TEXT + 1) }), 'invalid'],
  ['text of 1 MB', JSON.stringify({ text: 'x'.repeat(1_000_000) }), 'body_too_large'],
  ['a body one byte too large', JSON.stringify({ text: 'x'.repeat(MAX_BODY_BYTES) }), 'body_too_large'],
  ['an unknown field', '{"text":"a","admin":true}', 'invalid'],
  ['a field of the prototype', '{"text":"a","constructor":{"prototype":{}}}', 'invalid'],
  ['an author', `{"text":"a","author_id":"${NOWHERE}"}`, 'invalid'],
  ['an origin', '{"text":"a","origin":{"source":"irc","author":"x","sent_at":"2004"}}', 'invalid'],
  ['arrays ten thousand deep', `{"text":${'['.repeat(10_000)}${']'.repeat(10_000)}}`, 'invalid'],
  ['an id with white space', '{"text":"a","client_msg_id":"a b"}', 'invalid'],
  ['an id of another script', '{"text":"a","client_msg_id":"é"}', 'invalid'],
  ['an id too long', JSON.stringify({ text: 'a', client_msg_id: 'x'.repeat(65) }), 'invalid'],
  ['an empty id', '{"text":"a","client_msg_id":""}', 'invalid'],
  ['a thread that is no id', '{"text":"a","thread_id":"../x"}', 'invalid'],
  ['a thread that is not there', `{"client_msg_id":"nowhere","text":"a","thread_id":"${NOWHERE}"}`, 'not_found'],
];

/** Credentials that are none. */
const FORGERIES: [name: string, headers: Record<string, string>][] = [
  ['no credentials', {}],
  ['an empty bearer', { authorization: 'Bearer ' }],
  ['an unknown token', { authorization: `Bearer colink_pat_${'A'.repeat(43)}` }],
  ['a token cut short', { authorization: 'Bearer colink_pat_' }],
  ['a token of 8 KB', { authorization: `Bearer colink_pat_${'A'.repeat(8_000)}` }],
  ['an unsigned JWT', { authorization: `Bearer ${btoa('{"alg":"none"}')}.${btoa('{"sub":"alice"}')}.` }],
  ['another scheme', { authorization: 'Basic YWxpY2U6YWxpY2U=' }],
  ['SQL for a token', { authorization: "Bearer ' OR '1'='1" }],
  ['a forged session', { cookie: `__Host-colink=${'A'.repeat(43)}` }],
  ['a session twice', { cookie: '__Host-colink=a; __Host-colink=b' }],
];

export function badRequests({ channel, hidden, own, foreign }: Known): BadRequest[] {
  const at = `/v1/channels/${channel}`;
  const send = `${at}/messages`;
  const get = (name: string, path: string, code: ErrorCode): BadRequest => ({ name, method: 'GET', path, code });
  const change = (name: string, method: string, path: string, body: unknown, code: ErrorCode): BadRequest => ({
    name, method, path, code, ...(body !== undefined && { headers: json, body: JSON.stringify(body) }),
  });
  return [
    ...BODIES.map(([name, body, code]): BadRequest => ({ name: `a message of ${name}`, code, ...post(send, body) })),
    ...FORGERIES.map(([name, headers]): BadRequest => ({ name, method: 'GET', path: '/v1/bootstrap', headers, code: 'unauthenticated', as: 'nobody' })),
    { name: 'a message as text/plain', method: 'POST', path: send, headers: { 'content-type': 'text/plain' }, body: '{"text":"a"}', code: 'unsupported_media_type' },
    { name: 'a form', method: 'POST', path: send, headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: 'text=a', code: 'unsupported_media_type' },
    { name: 'an unknown channel', ...post(`/v1/channels/${NOWHERE}/messages`, MESSAGE), code: 'not_found' },
    { name: 'a private channel of others', ...post(`/v1/channels/${hidden}/messages`, MESSAGE), code: 'not_found' },
    get('the history of a private channel of others', `/v1/channels/${hidden}/messages`, 'not_found'),
    get('a channel id in upper case', `/v1/channels/${channel.toUpperCase()}/messages`, 'not_found'),
    get('a channel id that is none', '/v1/channels/1/messages', 'not_found'),
    get('a channel id with an encoded NUL', `/v1/channels/${channel}%00/messages`, 'not_found'),
    get('a path upwards', '/v1/channels/../../etc/passwd', 'not_found'),
    get('an encoded path upwards', '/v1/channels/%2e%2e%2f%2e%2e%2fetc%2fpasswd/messages', 'not_found'),
    get('a path with an encoded slash', `/v1/channels%2F${channel}/messages`, 'not_found'),
    get('a path with half an escape', '/v1/channels/%E0%A4%A/messages', 'not_found'),
    get('a path with an empty part', '/v1//channels', 'not_found'),
    get('a path of 4 KB', `/v1/${'x'.repeat(4_000)}`, 'not_found'),
    get('a route that is not there', '/v1/nothing', 'not_found'),
    change('PUT where there is none', 'PUT', send, { text: 'a' }, 'method_not_allowed'),
    change('DELETE of a list', 'DELETE', '/v1/channels', undefined, 'method_not_allowed'),
    change('PATCH of oneself', 'PATCH', '/v1/bootstrap', {}, 'method_not_allowed'),
    get('a limit of 0', `${send}?limit=0`, 'invalid'),
    get('a limit of 101', `${send}?limit=101`, 'invalid'),
    get('a limit that is no number', `${send}?limit=ten`, 'invalid'),
    get('a limit that is a fraction', `${send}?limit=1.5`, 'invalid'),
    get('a cursor of one\'s own', `${send}?before=AAAA`, 'bad_cursor'),
    get('a cursor with a quote', `${send}?after=%27%3B--`, 'bad_cursor'),
    get('a search for nothing', '/v1/search/messages?q=', 'invalid'),
    get('a search without a query', '/v1/search/messages', 'invalid'),
    get('a search for NUL', '/v1/search/messages?q=a%00b', 'invalid'),
    get('a search of 501 units', `/v1/search/messages?q=${'x'.repeat(501)}`, 'invalid'),
    get('a search with a cursor of one\'s own', '/v1/search/messages?q=x&cursor=AAAA', 'bad_cursor'),
    change('an edit of another\'s message', 'PATCH', `${send}/${foreign}`, { text: 'mine' }, 'forbidden'),
    change('a deletion of another\'s message', 'DELETE', `${send}/${foreign}`, undefined, 'forbidden'),
    change('an edit of no message', 'PATCH', `${send}/${NOWHERE}`, { text: 'x' }, 'not_found'),
    { name: 'an edit to bytes that are not UTF-8', method: 'PATCH', path: `${send}/${own}`, headers: json, body: bytes('{"text":"', [0xff], '"}'), code: 'unreadable_body' },
    change('an edit to nothing', 'PATCH', `${send}/${own}`, { text: ' ' }, 'invalid'),
    change('an edit in another channel', 'PATCH', `/v1/channels/${hidden}/messages/${own}`, { text: 'x' }, 'not_found'),
    change('an emoji with white space', 'PUT', `${send}/${foreign}/reactions/a%20b`, undefined, 'invalid'),
    change('an emoji with NUL', 'PUT', `${send}/${foreign}/reactions/%00`, undefined, 'invalid'),
    change('an emoji of 65 units', 'PUT', `${send}/${foreign}/reactions/${'x'.repeat(65)}`, undefined, 'invalid'),
    change('a read marker below 0', 'PUT', `${at}/read-state`, { read_pos: -1 }, 'invalid'),
    change('a read marker that is a fraction', 'PUT', `${at}/read-state`, { read_pos: 0.5 }, 'invalid'),
    change('a read marker beyond integers', 'PUT', `${at}/read-state`, { read_pos: 2 ** 60 }, 'invalid'),
    change('a read marker that is a string', 'PUT', `${at}/read-state`, { read_pos: '1' }, 'invalid'),
    change('an import without the scope', 'POST', `${at}/message-batches`, { messages: [{ client_msg_id: 'a', text: 'a' }] }, 'forbidden'),
    change('a channel without a name', 'POST', '/v1/channels', { name: '' }, 'invalid'),
    change('a channel named like a path', 'POST', '/v1/channels', { name: '../x' }, 'invalid'),
    change('a channel of an unknown kind', 'POST', '/v1/channels', { name: 'x', kind: 'secret' }, 'invalid'),
    change('joining a private channel', 'PUT', `/v1/channels/${hidden}/members/me`, undefined, 'not_found'),
    { name: 'a file without its length', method: 'POST', path: `/v1/files?channel_id=${channel}&name=a`, headers: { 'transfer-encoding': 'chunked' }, body: 'a', code: 'length_required' },
    { name: 'an empty file', method: 'POST', path: `/v1/files?channel_id=${channel}&name=a`, body: '', headers: { 'content-length': '0' }, code: 'invalid' },
    { name: 'a file without a name', method: 'POST', path: `/v1/files?channel_id=${channel}`, body: 'a', code: 'invalid' },
    { name: 'a file named like a path', method: 'POST', path: `/v1/files?channel_id=${channel}&name=..%2Fx`, body: 'a', code: 'invalid' },
    { name: 'a file named with NUL', method: 'POST', path: `/v1/files?channel_id=${channel}&name=a%00`, body: 'a', code: 'invalid' },
    { name: 'a file of no media type', method: 'POST', path: `/v1/files?channel_id=${channel}&name=a`, headers: { 'content-type': 'x' }, body: 'a', code: 'invalid' },
    { name: 'a text for a picture', method: 'POST', path: `/v1/files?channel_id=${channel}&name=a`, headers: { 'content-type': 'image/png' }, body: 'a text', code: 'invalid' },
    { name: 'a file for a private channel of others', method: 'POST', path: `/v1/files?channel_id=${hidden}&name=a`, headers: { 'content-type': 'text/plain' }, body: 'a', code: 'not_found' },
    { name: 'a file declared to have 1 TB', method: 'POST', path: `/v1/files?channel_id=${channel}&name=a`, headers: { 'content-length': '1000000000000' }, body: 'a', code: 'body_too_large' },
    get('a file that is not there', `/v1/files/${NOWHERE}`, 'not_found'),
    get('the content of no file', `/v1/files/${NOWHERE}/content`, 'not_found'),
    get('a thumbnail of a size that is none', `/v1/files/${NOWHERE}/thumbnails/x`, 'not_found'),
    get('the files of a private channel of others', `/v1/channels/${hidden}/files`, 'not_found'),
    get('the files of a channel by a cursor of one\'s own', `${at}/files?cursor=AAAA`, 'bad_cursor'),
    change('a message with a file that is not there', 'POST', send, { client_msg_id: 'f', text: 'a', file_ids: [NOWHERE] }, 'invalid'),
    change('a message with eleven files', 'POST', send, { client_msg_id: 'f', text: 'a', file_ids: Array.from({ length: 11 }, (_, n) => `${NOWHERE.slice(0, -2)}${10 + n}`) }, 'invalid'),
    change('a deletion of no file', 'DELETE', `/v1/files/${NOWHERE}`, undefined, 'not_found'),
    get('what the fleet alone may read', `/internal/files/${NOWHERE}/content`, 'not_found'),
    get('a socket without an upgrade', `${at}/socket`, 'upgrade_required'),
  ];
}
