import { once } from 'node:events';
import { createServer, type RequestListener, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterEach, expect, it, vi } from 'vitest';
import { MAX_BATCH_BODY_BYTES } from '../../protocol/limits.ts';
import { FRONT_VARIABLE, fetchByFront } from './detour.ts';
import { rawRequest } from './raw-http.ts';
import { type Judged, ValidationCount } from './validation-count.ts';
import { ValidationEnds } from './validation-ends.ts';

const servers: Server[] = [];
async function listening(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
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

/** A proxy as Prism is, where it is hardest on what passes: it has its own mind of bodies both ways. */
const mangler = (upstream: string, violations: object[]): Promise<string> =>
  listening(async (incoming, response) => {
    const body = (await buffer(incoming)).toString();
    if (body === 'broken') return void response.writeHead(400).end('no request');
    const { hostname, port } = new URL(upstream);
    const sent = request({ hostname, port, method: incoming.method, path: '/mangled', headers: { ...incoming.headers, 'content-length': 1 } }, (answer) => {
      response.writeHead(answer.statusCode ?? 0, { 'sl-violations': JSON.stringify(violations) }).end('mangled');
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
  expect(count.seen).toBe(2);
  count.add(judgedAs({ method: 'HEAD' }, [{ location: ['request'], severity: 'Warning', message: 'Selected route not found' }]));
  count.add(judgedAs({ status: 302, headers: { 'x-request-id': 'r', location: '/' } }, [FAULT]));
  count.add(judgedAs({ status: 400, passed: false, verdict: { status: 400, violations: undefined, text: 'no JSON' } }));
  count.add(judgedAs({ verdict: { status: 500, violations: undefined, text: 'it broke' } }));
  count.add(judgedAs({ headers: {} }, [FAULT]));
  expect(count.seen).toBe(2);
  expect(Object.fromEntries(count.unheld)).toEqual({ 'of no operation': 1, redirects: 1, 'not passed on': 1, 'no verdict': 1 });
  expect([...count.violations.keys()]).toEqual([]);
});
