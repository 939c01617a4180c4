import { exports } from 'cloudflare:workers';
import { uuidv7 } from 'uuidv7';
import { beforeAll, describe, expect, it } from 'vitest';
import asyncapi from '../asyncapi.json';
import openapi from '../openapi.json';
import { MAX_BATCH_BODY_BYTES } from '../protocol/limits.ts';
import { expectProblem, fetchApi, newCaller, newChannel, ORIGIN, type Caller } from './api-fixture.ts';

/** Every header that a route reads. */
const HEADER_PARAMETERS = [...new Set(Object.values(openapi.paths).flatMap((item) => Object.values(item)).flatMap(({ parameters = [] }: { parameters?: { in: string; name: string }[] }) => parameters.flatMap((parameter) => (parameter.in === 'header' ? [parameter.name] : []))))];
let ada: Caller;
let messages: string;
beforeAll(async () => {
  ada = await newCaller();
  messages = `/v1/channels/${(await newChannel(ada)).id}/messages`;
});

describe('every error is a problem document', () => {
  it.each(['/v1/nothing', '/v1', '/v1/channels/not-a-uuid', '/v1/channels/019ABCDE-0000-7000-8000-00000000000A', `/v1/channels/${uuidv7()}`, `/v1/users/${uuidv7()}`])(
    '404 for %s',
    async (path) => {
      expectProblem(await ada.call('GET', path), 'not_found');
    },
  );

  it.each([
    ['DELETE', '/v1/me', 'GET, HEAD, PATCH'],
    ['PATCH', '/v1/channels', 'GET, HEAD, POST'],
    ['GET', `/v1/channels/${uuidv7()}/members/me`, 'PUT, PATCH, DELETE'],
    ['PUT', `/v1/channels/${uuidv7()}/messages/${uuidv7()}`, 'GET, HEAD, PATCH, DELETE'],
    ['POST', '/health', 'GET, HEAD'],
    ['POST', '/openapi.json', 'GET, HEAD'],
    ['OPTIONS', '/auth/logout', 'POST'],
  ])('405 with Allow for %s %s', async (method, path, allow) => {
    const answer = await ada.call(method, path);
    expectProblem(answer, 'method_not_allowed');
    expect(answer.headers.get('allow')?.split(', ').toSorted()).toEqual(allow.split(', ').toSorted());
  });

  it.each(['{', '', '"', '{"text":}', 'undefined'])('400 for what is no JSON: %j', async (body) => {
    for (const path of [messages, '/v1/channels']) expectProblem(await ada.call('POST', path, body), 'unreadable_body');
  });

  it('400 for bytes that are no UTF-8, which would else be kept as something else', async () => {
    const body = Uint8Array.from([...new TextEncoder().encode('{"name":"x","client_msg_id":"x","text":"'), 0xff, 0x22, 0x7d]);
    const headers = { Authorization: `Bearer ${ada.token}`, 'Content-Type': 'application/json' };
    const codes = [];
    for (const path of [messages, '/v1/channels']) codes.push((await fetchApi(path, { method: 'POST', headers, body })).body);
    expect(codes).toMatchObject([{ code: 'unreadable_body' }, { code: 'unreadable_body' }]);
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/jsonx'])('415 for %s', async (type) => {
    for (const path of [messages, '/v1/channels']) expectProblem(await ada.call('POST', path, '{}', { 'Content-Type': type }), 'unsupported_media_type');
  });

  it('413 for a megabyte of text, declared or not', async () => {
    const body = JSON.stringify({ client_msg_id: 'x', text: 'x'.repeat(1_000_000) });
    expectProblem(await ada.call('POST', messages, body), 'body_too_large');
    const stream = new Response(body).body;
    const headers = { Authorization: `Bearer ${ada.token}`, 'Content-Type': 'application/json' };
    expectProblem(await fetchApi(messages, { method: 'POST', headers, body: stream }), 'body_too_large');
  });

  it('413 for a batch past its own limit only', async () => {
    const importer = await newCaller({ scopes: ['messages:import'] });
    const path = messages.replace(/messages$/, 'message-batches');
    expectProblem(await importer.call('POST', path, `{"messages":[],"x":"${'x'.repeat(1_000_000)}"}`), 'invalid');
    expectProblem(await importer.call('POST', path, 'x'.repeat(MAX_BATCH_BODY_BYTES + 1)), 'body_too_large');
  });

  it.each([
    [{ client_msg_id: 'a' }, ['/text']],
    [{ client_msg_id: 'a', text: 7 }, ['/text']],
    [{ client_msg_id: 'a', text: ' \n ' }, ['/text']],
    [{ client_msg_id: 'a', text: 'a\u0000b' }, ['/text']],
    [{ client_msg_id: 'a', text: '\ud800' }, ['/text']],
    [{ client_msg_id: 'a', text: 'x'.repeat(10_001) }, ['/text']],
    [{ client_msg_id: 'a b', text: 'x' }, ['/client_msg_id']],
    [{ client_msg_id: 'a', text: 'x', thread_id: 'x' }, ['/thread_id']],
    [{ client_msg_id: 'a', text: 'x', extra: 1, 'a/b~c': 2 }, ['/extra', '/a~1b~0c']],
    [{ client_msg_id: 'a', text: 'x', origin: { source: 's', author: 'a', sent_at: 't' } }, ['/origin']],
    [{ client_msg_id: 'a', text: 'x', type: 'send' }, ['/type']],
    [[], ['']],
    ['"text"', ['']],
    ['null', ['']],
    [{ text: 'x' }, ['/client_msg_id']],
  ])('422 with pointers for the message %j', async (body, pointers) => {
    const answer = await ada.call('POST', messages, body);
    expectProblem(answer, 'invalid');
    expect(answer.body).toMatchObject({ errors: pointers.map((pointer) => ({ pointer, detail: expect.any(String) })) });
  });

  it.each([
    ['GET', '/v1/channels?limit=0', undefined, '?limit'],
    ['GET', '/v1/channels?limit=101', undefined, '?limit'],
    ['GET', '/v1/channels?limit=x', undefined, '?limit'],
    ['GET', '/v1/channels?limit=1&limit=2', undefined, '?limit'],
    ['GET', '/v1/search/messages', undefined, '?q'],
    ['GET', '/v1/search/messages?q=%00', undefined, '?q'],
    ['GET', `/v1/search/messages?q=${'x'.repeat(501)}`, undefined, '?q'],
    ['GET', '/v1/search/messages?q=-x', undefined, '?q'],
    ['GET', '/v1/search/messages?q=x&channel=general', undefined, '?channel'],
    ['POST', '/v1/channels', { name: 'a b' }, '/name'],
    ['POST', '/v1/channels', { name: 'x', kind: 'direct' }, '/kind'],
    ['POST', '/v1/channels', { name: 'x', topic: '\u0000' }, '/topic'],
    ['POST', '/v1/channels', { name: 'x', owner: 'me' }, '/owner'],
    ['GET', '/auth/login?return_to=//evil.example', undefined, '?return_to'],
  ])('422 with the place for %s %s', async (method, path, body, pointer) => {
    const answer = await ada.call(method, path, body);
    expectProblem(answer, 'invalid');
    expect(answer.body).toMatchObject({ errors: [{ pointer }] });
  });

  it.each(['%20', 'a%20b', 'x'.repeat(65)])('422 for the emoji %s', async (emoji) => {
    expectProblem(await ada.call('PUT', `${messages}/${uuidv7()}/reactions/${emoji}`), 'invalid');
  });

  it.each(['/v1/channels?cursor=x', '/v1/search/messages?q=x&cursor=e30'])('400 for a cursor it did not issue: %s', async (path) => {
    expectProblem(await ada.call('GET', path), 'bad_cursor');
  });

  it.each(['before', 'after'])('400 for a %s cursor of nothing', async (parameter) => {
    expectProblem(await ada.call('GET', `${messages}?${parameter}=nothing`), 'bad_cursor');
  });
});

describe('every answer', () => {
  it('carries its request id, the caller\'s where it gave one', async () => {
    expect((await ada.call('GET', '/v1/me', undefined, { 'X-Request-Id': 'abcdefgh' })).headers.get('x-request-id')).toBe('abcdefgh');
    const [first, second] = [await ada.call('GET', '/v1/me', undefined, { 'X-Request-Id': 'a b' }), await ada.call('GET', '/v1/me')];
    expect(first.headers.get('x-request-id')).not.toBe(second.headers.get('x-request-id'));
  });

  it('is for nobody to keep, frame or sniff', async () => {
    const { headers } = await ada.call('GET', '/v1/me');
    expect(Object.fromEntries(headers)).toMatchObject({
      'cache-control': 'no-store',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
      'server-timing': expect.stringMatching(/^total;dur=\d/),
      'ratelimit-policy': '"read";q=1200;w=60',
    });
  });

  it('asks for https from then on, but not over plain http, where it must not', async () => {
    const asked = async (origin: string) => (await exports.default.fetch(new Request(`${origin}/health`))).headers.has('strict-transport-security');
    expect([await asked(ORIGIN), await asked('http://127.0.0.1:8787')]).toEqual([true, false]);
  });

  it('opens itself to allowed origins alone', async () => {
    const from = async (origin: string) => (await ada.call('GET', '/v1/me', undefined, { Origin: origin })).headers.get('access-control-allow-origin');
    expect([await from(ORIGIN), await from('https://evil.example')]).toEqual([ORIGIN, null]);
    const preflight = await fetchApi('/v1/me', { method: 'OPTIONS', headers: { Origin: ORIGIN, 'Access-Control-Request-Method': 'GET' } });
    expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([204, ORIGIN]);
    expect(preflight.headers.get('access-control-allow-methods')).toBe('GET,HEAD,POST,PUT,PATCH,DELETE');
  });

  it('may be asked for with If-Match by a page of an allowed origin, and its ETag read: settings cannot be changed without', async () => {
    const listed = (headers: Headers, name: string) => (headers.get(name) ?? '').toLowerCase().split(',').map((one) => one.trim());
    const preflight = await fetchApi('/v1/me', { method: 'OPTIONS', headers: { Origin: ORIGIN, 'Access-Control-Request-Method': 'PATCH', 'Access-Control-Request-Headers': 'if-match' } });
    expect(listed(preflight.headers, 'access-control-allow-headers')).toEqual(expect.arrayContaining(['authorization', 'content-type', ...HEADER_PARAMETERS]));
    const { headers } = await ada.call('GET', '/v1/me', undefined, { Origin: ORIGIN });
    expect(listed(headers, 'access-control-expose-headers')).toEqual(expect.arrayContaining(['etag', 'link', 'location', 'colink-consistency', 'content-range']));
  });
});

describe('the platform\'s routes', () => {
  it('answer without credentials', async () => {
    expect((await fetchApi('/health')).body).toEqual({ status: 'ok' });
    expect((await fetchApi('/ready')).body).toEqual({ status: 'ready', postgres: 'ok' });
    expect((await fetchApi('/openapi.json')).body).toMatchObject({ openapi: '3.1.0' });
    expect((await fetchApi('/asyncapi.json')).body).toEqual(asyncapi);
    const docs = await fetchApi('/docs');
    expect(docs.body).toContain('/v1/channels/{id}/messages');
    expect(docs.body).not.toMatch(/<script|src=|@import/);
  });

  it('show metrics by route', async () => {
    await ada.call('GET', '/v1/me');
    expect((await fetchApi('/metrics')).headers.get('content-type')).toMatch(/^text\/plain/);
  });
});
