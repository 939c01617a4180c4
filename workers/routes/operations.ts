import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi';
import { sql } from 'drizzle-orm';
import type { Context } from 'hono';
import { json, problemAnswer } from '../api-route.ts';
import { within } from '../deadline.ts';
import type { App, AppEnv } from '../env.ts';
import { withPostgres } from '../postgres.ts';
import { ProblemError } from '../problems.ts';
import { sameText } from '../same-text.ts';

const READY_MS = 3_000;

const healthSchema = z.strictObject({ status: z.literal('ok') });
const readySchema = z.strictObject({ status: z.enum(['ready', 'unavailable']), postgres: z.enum(['ok', 'unavailable']) });

const health = createRoute({ path: '/health', method: 'get', summary: 'The process answers', responses: { 200: json(healthSchema, 'It does') } });

const ready = createRoute({
  path: '/ready',
  method: 'get',
  summary: 'Whether requests can be served; only Postgres decides',
  responses: { 200: json(readySchema, 'They can'), 503: json(readySchema, 'Postgres is away') },
});

const metrics = createRoute({
  path: '/metrics',
  method: 'get',
  summary: 'Metrics in Prometheus text format; for bearers of METRICS_TOKEN',
  responses: { 200: { content: { 'text/plain': { schema: z.string() } }, description: 'The metrics' }, 401: problemAnswer('unauthenticated'), 404: problemAnswer('not_found') },
});

export function operationsRoutes(): App {
  const app = new OpenAPIHono<AppEnv>();

  app.openapi(health, (c) => c.json({ status: 'ok' as const }, 200));

  app.openapi(ready, async (c) => {
    const answers = await within(READY_MS, withPostgres(c, (db) => db.execute(sql`SELECT 1`))).then(() => true, () => false);
    if (answers) return c.json({ status: 'ready' as const, postgres: 'ok' as const }, 200);
    c.header('Retry-After', '5');
    return c.json({ status: 'unavailable' as const, postgres: 'unavailable' as const }, 503);
  });

  app.openapi(metrics, async (c) => {
    refuseScraper(c);
    return c.text(await c.env.METRICS_HUB.getByName('hub').render(), 200);
  });

  return app;
}

function refuseScraper(c: Context<AppEnv>): void {
  const { METRICS_TOKEN: token, ENVIRONMENT } = c.env;
  if (!token && ENVIRONMENT !== 'development') throw new ProblemError({ code: 'not_found' });
  if (token && !sameText(c.req.raw.headers.get('authorization') ?? '', `Bearer ${token}`)) throw new ProblemError({ code: 'unauthenticated' });
}
