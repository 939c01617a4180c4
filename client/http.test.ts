import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { problemDocument } from '../protocol/errors.ts';
import { createApi } from './http.ts';

const servers: { close(): void }[] = [];
afterEach(() => servers.splice(0).forEach((server) => server.close()));

interface Answer {
  readonly status: number;
  readonly type?: string;
  readonly body?: string;
  readonly headers?: Record<string, string>;
}

/** The API of a server that gives one answer to everything, and what it was asked. */
async function answering(answer: Answer | (() => Answer), token?: string) {
  const requests: { method: string; url: string; headers: IncomingMessage['headers']; body: string }[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    requests.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks).toString() });
    const { status, type = 'application/json', headers = {}, body } = typeof answer === 'function' ? answer() : answer;
    response.writeHead(status, { 'content-type': type, connection: 'close', ...headers }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  servers.push(server);
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { api: createApi({ baseUrl, ...(token !== undefined && { token }) }), requests, baseUrl };
}

describe('the typed API', () => {
  it('sends the token, the body and an idempotency key, and reads the answer', async () => {
    const { api, requests } = await answering({ status: 201, body: '{"id":"c1"}' }, 'colink_pat_x');
    expect(await api.createChannel({ name: 'general', kind: 'public', topic: '' })).toEqual({ id: 'c1' });
    expect(requests[0]).toMatchObject({ method: 'POST', url: '/v1/channels', body: '{"name":"general","kind":"public","topic":""}' });
    expect(requests[0]?.headers).toMatchObject({ authorization: 'Bearer colink_pat_x', 'content-type': 'application/json' });
    expect(requests[0]?.headers['idempotency-key']).toMatch(/^[0-9a-f]{32}$/);
  });

  it('leaves out what a query does not say, and escapes what it says', async () => {
    const { api, requests } = await answering({ status: 200, body: '{}' });
    await api.history('c1', { before: 'a+b', limit: 20 });
    await api.react('c1', 'm1', '👍');
    expect(requests.map(({ url }) => url)).toEqual(['/v1/channels/c1/messages?before=a%2Bb&limit=20', '/v1/channels/c1/messages/m1/reactions/%F0%9F%91%8D']);
  });

  it('reads what it has changed: the later of its tokens goes with each read, for a minute, also from a refusal', async () => {
    const tokens = ['02', '03', '01'];
    const { api, requests } = await answering(() => {
      const token = tokens.shift();
      return { status: token === '03' ? 503 : 200, body: '{}', ...(token && { headers: { 'colink-consistency': token } }) };
    });
    vi.useFakeTimers({ toFake: ['Date'] });
    try {
      await api.channels();
      await api.join('c1').catch(() => {});
      await api.leave('c1');
      await api.channels();
      vi.advanceTimersByTime(60_000);
      await api.channels();
    } finally {
      vi.useRealTimers();
    }
    expect(requests.map(({ method, headers }) => [method, headers['colink-consistency']])).toEqual([
      ['GET', undefined], ['PUT', undefined], ['DELETE', undefined], ['GET', '03'], ['GET', undefined],
    ]);
  });

  it('takes an empty answer', async () => {
    const { api } = await answering({ status: 204 });
    await expect(api.logout()).resolves.toBeUndefined();
  });

  it('throws a problem document as what it is', async () => {
    const problem = problemDocument({ code: 'rate_limited', retry_after: 3 });
    const { api } = await answering({ status: 429, type: 'application/problem+json', body: JSON.stringify(problem) });
    await expect(api.bootstrap()).rejects.toMatchObject({ name: 'ProblemError', code: 'rate_limited', problem });
  });

  it.each([
    ['a gateway error page', { status: 502, type: 'text/html', body: '<h1>Bad gateway</h1>' }],
    ['an answer cut short', { status: 200, body: '{"me":' }],
  ])('throws %s as no answer', async (_, answer) => {
    const { api } = await answering(answer);
    await expect(api.bootstrap()).rejects.toMatchObject({ name: 'NetworkError' });
  });

  it('throws a server away as no answer, and an abort as what it is', async () => {
    const api = createApi({ baseUrl: 'http://127.0.0.1:1' });
    await expect(api.bootstrap()).rejects.toMatchObject({ name: 'NetworkError' });
    await expect(api.search({ q: 'x' }, AbortSignal.abort())).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('says where sockets are', () => {
    expect(createApi({ baseUrl: 'https://colink.test' }).socketUrl('c1').href).toBe('wss://colink.test/v1/channels/c1/socket');
    expect(createApi({ baseUrl: 'http://colink.test:8787' }).socketUrl('c1').href).toBe('ws://colink.test:8787/v1/channels/c1/socket');
  });
});
