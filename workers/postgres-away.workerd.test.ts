import { env } from 'cloudflare:workers';
import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test';
import { uuidv7 } from 'uuidv7';
import { expect, it } from 'vitest';
import { createApp } from './app.ts';
import { newCaller, newChannel, ORIGIN, send } from './api-fixture.ts';
import { createServices } from './services.ts';

/** Nothing listens on port 1. */
const away = { ...env, POSTGRES: { connectionString: 'postgres://colink:x@127.0.0.1:1/colink?sslmode=disable' } };

it('G1: while Postgres is away known callers go on sending; what needs Postgres answers 503', async () => {
  const world = { now: Date.now() };
  const app = createApp(createServices(() => world.now));
  const ada = await newCaller();
  const { id } = await newChannel(ada);
  await send(ada, id, 'makes the room known to itself');

  const request = async (bindings: typeof away | typeof env, path: string, token: string, body?: object, method = 'POST', more: Record<string, string> = {}) => {
    const context = createExecutionContext();
    const headers = { Authorization: `Bearer ${token}`, ...(body && { 'Content-Type': 'application/json' }), ...more };
    const response = await app.fetch(new Request(ORIGIN + path, { headers, ...(body && { method, body: JSON.stringify(body) }) }), bindings, context);
    const answer = { status: response.status, retryAfter: response.headers.get('retry-after'), body: await response.json<{ code?: string }>() };
    await waitOnExecutionContext(context);
    return answer;
  };
  const message = () => ({ client_msg_id: uuidv7(), text: 'still here' });
  const messages = `/v1/channels/${id}/messages`;

  expect((await request(env, '/v1/me', ada.token)).status).toBe(200);
  for (const minutes of [0, 1, 13]) {
    world.now += minutes * 60_000;
    expect((await request(away, messages, ada.token, message())).status).toBe(201);
  }
  expect(await request(away, `/v1/channels/${id}/read-state`, ada.token, { read_pos: 1 }, 'PUT')).toMatchObject({ status: 200, body: { read_pos: 1 } });
  // Its answer could not be kept, so the key would promise too much; of what is sent the room knows by itself.
  expect(await request(away, `/v1/channels/${id}/read-state`, ada.token, { read_pos: 2 }, 'PUT', { 'Idempotency-Key': 'k' })).toMatchObject({ status: 503 });
  expect((await request(away, messages, ada.token, { text: 'by its key' }, 'POST', { 'Idempotency-Key': 'k' })).status).toBe(201);
  for (const path of [messages, '/v1/search/messages?q=x', '/v1/bootstrap', '/v1/me']) {
    expect(await request(away, path, ada.token)).toMatchObject({ status: 503, retryAfter: '1', body: { code: 'unavailable' } });
  }
  expect(await request(away, messages, (await newCaller()).token, message())).toMatchObject({ status: 503 });
  expect(await request(away, '/ready', '')).toMatchObject({ status: 503 });
  expect(await request(away, '/health', '')).toMatchObject({ status: 200 });

  world.now += 60_000;
  expect(await request(away, messages, ada.token, message())).toMatchObject({ status: 503 });
  expect((await request(env, messages, ada.token, message())).status).toBe(201);
});
