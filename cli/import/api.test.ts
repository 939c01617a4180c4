import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { createImportApi, RefusedError, retryAfterSeconds, retryDelay } from './api.ts';

const channelId = '01930000-0000-7000-8000-000000000001';
const channel = { id: channelId, kind: 'public', name: 'ubuntu', topic: '', purpose: '', created_at: '2026-11-23T10:00:00.000Z', archived_at: null, version: 1, my_role: 'owner' };

let server: Server | undefined;
afterEach(() => server?.close());

type Answer = (request: IncomingMessage, response: ServerResponse) => void;
const json = (status: number, body: unknown, headers: Record<string, string> = {}): Answer => (_, response) =>
  void response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));

/** An API that gives these answers one after the other, over real sockets. */
async function serve(...answers: Answer[]) {
  const [seen, waits]: [string[], string[]] = [[], []];
  server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    request.resume().once('end', () => (answers.shift() ?? json(500, {}))(request, response));
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const api = createImportApi({
    url: `http://127.0.0.1:${port}`,
    token: 'colink_pat_test',
    signal: new AbortController().signal,
    onWait: (reason) => void waits.push(reason),
    random: () => 0,
  });
  return { api, seen, waits };
}

describe('retryDelay', () => {
  test('waits at least as long as the server asks', () => {
    expect(retryDelay(1, 2, () => 0)).toBe(2_000);
    expect(retryDelay(9, 2, () => 1)).toBe(2_500);
  });

  test('is full jitter over a bounded exponential otherwise', () => {
    expect([1, 2, 3, 20].map((attempt) => retryDelay(attempt, null, () => 1))).toEqual([250, 500, 1_000, 15_000]);
    expect(retryDelay(5, null, () => 0)).toBe(0);
  });

  test('reads seconds only', () => {
    expect(['3', '0', '', 'Wed, 21 Oct 2026 07:28:00 GMT', null].map(retryAfterSeconds)).toEqual([3, 0, null, null, null]);
  });
});

describe('the API', () => {
  test('is asked again after 429, 503 and a cut connection', async () => {
    const { api, seen, waits } = await serve(
      json(429, {}, { 'retry-after': '0' }),
      json(503, {}, { 'retry-after': '0' }),
      (request) => void request.socket.destroy(),
      json(200, { data: [] }),
    );
    expect(await api.postBatch(channelId, [])).toEqual([]);
    expect(seen).toHaveLength(4);
    expect(waits.map((reason) => reason.slice(0, 19))).toEqual(['the API answers 429', 'the API answers 503', 'the API is not reac']);
  });

  test('is believed when it refuses', async () => {
    const problem = { type: 'urn:colink:problem:invalid', title: 'No', status: 422, code: 'invalid', errors: [{ pointer: '/messages/3/text', detail: 'must not be blank' }] };
    const { api } = await serve(json(422, problem));
    const refused = api.postBatch(channelId, []);
    await expect(refused).rejects.toThrow(RefusedError);
    await expect(refused).rejects.toThrow('/messages/3/text must not be blank');
  });

  test('finds the channel on a later page, whatever its case', async () => {
    const { api, seen } = await serve(json(200, { data: [], next_cursor: 'c2' }), json(200, { data: [{ ...channel, name: 'Ubuntu' }], next_cursor: null }));
    expect((await api.joinChannel('ubuntu')).id).toBe(channelId);
    expect(seen).toEqual(['GET /v1/channels?limit=100', 'GET /v1/channels?limit=100&cursor=c2']);
  });

  test('makes the channel, and takes the one another made first', async () => {
    const conflict = { type: 'urn:colink:problem:conflict', title: 'Conflict', status: 409, code: 'conflict' };
    const { api, seen } = await serve(
      json(200, { data: [], next_cursor: null }),
      json(409, conflict),
      json(200, { data: [channel], next_cursor: null }),
    );
    expect((await api.joinChannel('ubuntu')).id).toBe(channelId);
    expect(seen[1]).toBe('POST /v1/channels');
  });
});
