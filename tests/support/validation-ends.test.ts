import { once } from 'node:events';
import { createServer, type RequestListener, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterEach, expect, it, vi } from 'vitest';
import { MAX_BATCH_BODY_BYTES } from '../../protocol/limits.ts';
import { FRONT_VARIABLE, fetchByFront } from './detour.ts';
import { startNetwork } from './proxy.ts';
import { rawRequest } from './raw-http.ts';
import { openBy } from './socks-client.ts';
import { type Judged, ValidationCount } from './validation-count.ts';
import { MAX_HEAD_BYTES, ValidationEnds } from './validation-ends.ts';

const servers: Server[] = [];
async function listening(listener: RequestListener): Promise<string> {
  const server = createServer({ maxHeaderSize: MAX_HEAD_BYTES }, listener);
  servers.push(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

afterEach(() => {
  vi.unstubAllEnvs();
  for (const server of servers.splice(0)) server.close();
});

/** Says what it was asked, in bytes that are no text. */
const worker = (): Promise<string> =>
  listening(async (incoming, response) => {
    const asked = { method: incoming.method, url: incoming.url, host: incoming.headers.host, named: incoming.headers['x-named'], body: (await buffer(incoming)).subarray(0, 100).toString('hex') };
    response.writeHead(incoming.url === '/moved' ? 302 : 200, { 'x-request-id': 'r', 'x-asked': JSON.stringify(asked), ...(incoming.url === '/moved' && { location: '/elsewhere' }) }).end(Buffer.from([0xff, 0x00]));
  });

/** A proxy as Prism is, where it is hardest on what passes: it has its own mind of bodies both ways, and goes where it is led. */
const mangler = (upstream: string, violations: object[]): Promise<string> =>
  listening(async (incoming, response) => {
    const body = (await buffer(incoming)).toString();
    if (body === 'broken' || incoming.headers['content-type']?.includes('utf-16')) return void response.writeHead(400).end('no request');
    const { hostname, port } = new URL(upstream);
    const sent = request({ hostname, port, method: incoming.method, path: '/mangled', headers: { ...incoming.headers, 'content-length': 1 } }, (answer) => {
      response.writeHead(answer.statusCode ?? 0, { 'sl-violations': JSON.stringify(violations) }).end(answer.headers.location === undefined ? 'mangled' : 'followed');
      answer.resume();
    });
    sent.on('error', () => response.writeHead(500).end());
    sent.end('x');
  });

async function between(violations: object[] = []): Promise<{ ends: ValidationEnds; judged: Judged[]; url: string; target: string }> {
  const judged: Judged[] = [];
  const ends = await ValidationEnds.listen((one) => judged.push(one));
  ends.proxy = await mangler(ends.backUrl, violations);
  vi.stubEnv(FRONT_VARIABLE, ends.frontAuthority);
  const target = await worker();
  return { ends, judged, url: `http://${target}`, target };
}

it('lets the Worker and the test see what the other one sent, whatever the proxy made of it', async () => {
  const { ends, judged, url, target } = await between();
  const body = Buffer.from([0xfe, 0x01, 0x7b]);
  const byFetch = await fetchByFront(fetch)(`${url}/v1/x%2Fy?a=%20`, { method: 'PUT', headers: { 'x-named': 'n' }, body });
  const asked = { method: 'PUT', url: '/v1/x%2Fy?a=%20', host: target, named: 'n', body: 'fe017b' };
  expect(JSON.parse(byFetch.headers.get('x-asked') ?? '')).toEqual(asked);
  expect(byFetch.headers.has('sl-violations')).toBe(false);
  expect(Buffer.from(await byFetch.arrayBuffer()).toString('hex')).toBe('ff00');
  const raw = await rawRequest(url, { method: 'PUT', path: '/v1/x%2Fy?a=%20', headers: { 'x-named': 'n', host: 'evil.example', 'content-length': '3' }, body });
  expect(JSON.parse(String(raw.headers['x-asked']))).toEqual({ ...asked, host: 'evil.example' });
  await ends.close();
  expect(judged.map(({ method, path, status, passed }) => [method, path, status, passed])).toEqual(Array.from({ length: 2 }, () => ['PUT', '/v1/x%2Fy?a=%20', 200, true]));
});

it('stands before what a browser asks by its network, one request after the other, and lets its sockets by', async () => {
  const { ends, judged, target } = await between();
  const network = await startNetwork();
  const browser = await openBy(network, Number(target.split(':')[1]));
  let received = '';
  browser.setEncoding('latin1').on('data', (chunk: string) => (received += chunk));
  const ask = (path: string, more = ''): boolean => browser.write(`GET ${path} HTTP/1.1\r\nHost: ${target}\r\n${more}\r\n`);
  for (const url of ['/v1/x', '/v1/y']) {
    ask(url);
    await expect.poll(() => received).toContain(JSON.stringify({ method: 'GET', url, host: target, body: '' }));
  }
  servers.at(-1)?.once('upgrade', ({ headers }, socket) => {
    socket.write(`HTTP/1.1 101 Switching Protocols\r\n\r\n${headers.upgrade} to ${headers.host}: `);
    socket.pipe(socket);
  });
  ask('/v1/socket', 'Connection: Upgrade\r\nUpgrade: websocket\r\n');
  await expect.poll(() => received).toContain(`websocket to ${target}: `);
  browser.write('frame');
  await expect.poll(() => received).toMatch(/: frame$/);
  await network.close();
  await ends.close();
  expect(judged.map(({ path, passed }) => [path, passed])).toEqual([['/v1/x', true], ['/v1/y', true]]);
});

it('shows the proxy no place that it would be led to, for what leads there may be good for once', async () => {
  const { ends, judged, url } = await between();
  const answer = await fetchByFront(fetch)(`${url}/moved`, { redirect: 'manual' });
  expect([answer.status, answer.headers.get('location')]).toEqual([302, '/elsewhere']);
  await ends.close();
  expect(judged).toMatchObject([{ status: 302, verdict: { status: 302, text: 'mangled' } }]);
});

it('asks the Worker once, and itself where the proxy does not', async () => {
  const { ends, judged, url } = await between();
  const answer = await fetchByFront(fetch)(`${url}/v1/x`, { method: 'POST', body: 'broken' });
  expect(JSON.parse(answer.headers.get('x-asked') ?? '')).toMatchObject({ url: '/v1/x', body: Buffer.from('broken').toString('hex') });
  await ends.close();
  expect(judged).toMatchObject([{ passed: false, status: 200 }]);
});

it('does not ask the proxy of what is no JSON, for it would wait for ever', async () => {
  const { ends, judged, url } = await between();
  const answer = await fetchByFront(fetch)(`${url}/v1/x`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{' });
  expect(JSON.parse(answer.headers.get('x-asked') ?? '')).toMatchObject({ url: '/v1/x', body: '7b' });
  await ends.close();
  expect(judged).toMatchObject([{ passed: false, verdict: { status: 400, text: 'the body is no JSON' } }]);
});

it('reads past a byte order mark and what is said of the characters of JSON, as the Worker does', async () => {
  const { ends, judged, url } = await between();
  const answer = await fetchByFront(fetch)(`${url}/v1/x`, { method: 'POST', headers: { 'content-type': 'application/json; charset=utf-16' }, body: '\ufeff{}' });
  expect(JSON.parse(answer.headers.get('x-asked') ?? '')).toMatchObject({ body: 'efbbbf7b7d' });
  await ends.close();
  expect(judged).toMatchObject([{ passed: true }]);
});

it('has an answer to a path that is longer than Node reads by itself', async () => {
  const { ends, judged } = await between();
  const target = await listening((_, response) => void response.writeHead(404).end());
  const path = `/v1/${'x'.repeat(20_000)}`;
  expect((await rawRequest(`http://${target}`, { method: 'GET', path })).status).toBe(404);
  await ends.close();
  expect(judged).toMatchObject([{ path, status: 404, passed: true }]);
});

it('passes by the proxy what is said to be longer than any JSON may be, without waiting for it', async () => {
  const { ends, judged } = await between();
  const target = await listening((incoming, response) => void response.writeHead(413, { 'x-length': incoming.headers['content-length'] }).end());
  const answer = await rawRequest(`http://${target}`, { method: 'POST', path: '/v1/x', headers: { 'content-length': String(MAX_BATCH_BODY_BYTES + 1) }, body: '-' });
  expect([answer.status, answer.headers['x-length']]).toEqual([413, String(MAX_BATCH_BODY_BYTES + 1)]);
  await ends.close();
  expect(judged).toEqual([]);
});

it('passes by the proxy what announces more than it sends', async () => {
  const { ends, judged } = await between();
  const target = await listening((incoming, response) => void incoming.once('data', (sent: Buffer) => response.writeHead(405, { 'x-sent': sent.toString() }).end()));
  const answer = await rawRequest(`http://${target}`, { method: 'POST', path: '/v1/x', headers: { 'content-length': '3' }, body: '-' });
  expect([answer.status, answer.headers['x-sent']]).toEqual([405, '-']);
  await ends.close();
  expect(judged).toEqual([]);
});

it('does not ask the proxy of a media type that is none, for it would end it', async () => {
  const { ends, judged, url } = await between();
  expect((await rawRequest(url, { method: 'POST', path: '/v1/x', headers: { 'content-type': 'no type', 'content-length': '1' }, body: '-' })).status).toBe(200);
  await ends.close();
  expect(judged).toMatchObject([{ passed: false, verdict: { status: 400, text: 'the media type is none' } }]);
});

it('does not ask the proxy of a path that cannot be decoded, for it would end it', async () => {
  const { ends, judged, url } = await between();
  expect(JSON.parse(String((await rawRequest(url, { method: 'GET', path: '/v1/%ff' })).headers['x-asked']))).toMatchObject({ url: '/v1/%ff' });
  await ends.close();
  expect(judged).toMatchObject([{ passed: false, verdict: { status: 400, text: 'the path is no text' } }]);
});

it('asks the proxy once more where it has reset a connection', async () => {
  const { ends, judged, url } = await between();
  ends.proxy = await listening((_, response) => void response.writeHead(200).end('at last'));
  servers.at(-1)?.prependOnceListener('connection', (socket) => socket.resetAndDestroy());
  expect((await fetchByFront(fetch)(`${url}/v1/x`)).status).toBe(200);
  await ends.close();
  expect(judged).toMatchObject([{ verdict: { status: 200, text: 'at last' } }]);
});

it('tells of a proxy that is away as of no verdict', async () => {
  const { ends, judged, url } = await between();
  ends.proxy = await listening((_, response) => response.destroy());
  expect((await fetchByFront(fetch)(`${url}/v1/x`)).status).toBe(200);
  await ends.close();
  const count = new ValidationCount();
  for (const one of judged) count.add(one);
  expect([count.seen, [...count.unheld], [...count.violations]]).toEqual([0, [['no verdict', 1]], []]);
});

it('ends the connection of a test whose stack is away', async () => {
  const { ends, judged, url } = await between();
  await new Promise((resolve) => servers.pop()?.close(resolve));
  await expect(fetchByFront(fetch)(`${url}/v1/x`)).rejects.toThrow('fetch failed');
  await ends.close();
  expect(judged).toEqual([]);
});

it('lets alone what is no stack of a test', async () => {
  const { ends, judged } = await between();
  const asked: unknown[] = [];
  const plain = fetchByFront(async (input) => (asked.push(input), new Response()));
  await plain('https://127.0.0.1/x');
  await plain('http://example.com/x');
  expect(asked).toEqual(['https://127.0.0.1/x', 'http://example.com/x']);
  await ends.close();
  expect(judged).toEqual([]);
});

const FAULT = { location: ['response', 'body'], severity: 'Error', code: 'required', message: 'must have a name' };
const WRONG_ASKED = { location: ['request'], severity: 'Error', code: 401, message: 'Invalid security scheme used' };
const ID = '0190a1b2-0000-7000-8000-00000000000a';
const judgedAs = (changes: Partial<Judged>, violations: object[] = []): Judged => {
  const { status = 200 } = changes;
  return { method: 'GET', path: `/v1/users/${ID}?a=b`, status, headers: { 'x-request-id': 'r' }, passed: true, verdict: { status, violations: JSON.stringify(violations), text: '' }, ...changes };
};

it.each([
  ['an answer that is not of the document, whatever its status', judgedAs({ status: 404 }, [FAULT]), 'GET /v1/users/… 404: response.body must have a name'],
  ['as one that Prism only warns of', judgedAs({}, [{ ...FAULT, severity: 'Warning' }]), 'GET /v1/users/… 200: response.body must have a name'],
  ['a wrong request that was not refused', judgedAs({}, [WRONG_ASKED]), 'GET /v1/users/… 200: request Invalid security scheme used'],
  ['what the proxy took for no request, and the Worker for one', judgedAs({ passed: false, verdict: { status: 400, violations: undefined, text: 'no JSON' } }), 'GET /v1/users/… 200: request: no JSON'],
])('counts %s', (_, judged, what) => {
  const count = new ValidationCount();
  count.add(judged);
  count.add(judged);
  expect([...count.violations]).toEqual([[what, 2]]);
});

it('counts no wrong request that was refused, and holds no answer for seen that nothing was said of', () => {
  const count = new ValidationCount();
  count.add(judgedAs({ status: 401 }, [WRONG_ASKED]));
  count.add(judgedAs({ path: '/slack/api/auth.test' }, [WRONG_ASKED]));
  count.add(judgedAs({ method: 'DELETE', status: 204 }, [{ ...WRONG_ASKED, message: 'No supported content types, but request included a non-empty body' }]));
  expect(count.seen).toBe(3);
  count.add(judgedAs({ method: 'HEAD', verdict: { status: 500, violations: undefined, text: '' } }));
  count.add(judgedAs({ method: 'OPTIONS' }, [{ location: ['request'], severity: 'Warning', message: 'Selected route not found' }]));
  count.add(judgedAs({ status: 400, passed: false, verdict: { status: 400, violations: undefined, text: 'no JSON' } }));
  count.add(judgedAs({ verdict: { status: 500, violations: undefined, text: 'it broke' } }));
  count.add(judgedAs({ headers: {} }, [FAULT]));
  expect(count.seen).toBe(3);
  expect(Object.fromEntries(count.unheld)).toEqual({ 'of no operation': 2, 'not passed on': 1, 'no verdict': 1 });
  expect([...count.violations.keys()]).toEqual([]);
});
