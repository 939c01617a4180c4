import { Hono } from 'hono';
import { expect, it, vi } from 'vitest';
import type { AppEnv } from './env.ts';
import { answerError } from './problems.ts';

it('logs a fault by its path, but not by that of an incoming webhook, which is a secret', async () => {
  const log = vi.spyOn(console, 'error').mockImplementation(() => {});
  const app = new Hono<AppEnv>().onError(answerError).post('*', () => {
    throw new Error('a fault');
  });
  for (const path of ['/hooks/incoming/colink_hook_secret', '/unsubscribe/token', '/v1/channels']) expect((await app.request(path, { method: 'POST' })).status).toBe(500);
  expect(log.mock.calls.map(([line]) => JSON.parse(String(line)))).toMatchObject([{ path: '/hooks/…', cause: 'a fault' }, { path: '/unsubscribe/…' }, { path: '/v1/channels' }]);
  expect(JSON.stringify(log.mock.calls)).not.toContain('secret"');
  log.mockRestore();
});
