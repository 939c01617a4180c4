import type { Context, MiddlewareHandler } from 'hono';
import { routePath } from 'hono/route';
import { answerDrafts, completeAnswer } from '../answer.ts';
import type { AppEnv } from '../env.ts';
import type { RequestMetrics } from '../request-metrics.ts';

/** Outermost: drafts the answer, completes it, and notes the request's share of the metrics, reported once the answer is on its way. */
export function measure(metrics: RequestMetrics): MiddlewareHandler<AppEnv> {
  const draftAnswer = answerDrafts();
  return async function measureMiddleware(c, next) {
    const draft = draftAnswer(c);
    await next();
    completeAnswer(c, draft);
    const { status } = c.res;
    if (status === 429) metrics.recordLimited(/"(\w+)"/.exec(c.res.headers.get('ratelimit') ?? '')?.[1] ?? 'unknown');
    metrics.record(routeOf(c), c.req.method, status, (performance.now() - draft.startedAt) / 1_000);
    const report = metrics.take();
    if (report) c.executionCtx.waitUntil(c.env.METRICS_HUB.getByName('hub').report(report).catch(() => {}));
  };
}

/** The route's pattern; the patterns of middleware alone say that there is no such route. */
function routeOf(c: Context<AppEnv>): string {
  const pattern = routePath(c, -1);
  return pattern.endsWith('*') ? 'unmatched' : pattern;
}
