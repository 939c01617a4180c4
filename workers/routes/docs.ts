import { OpenAPIHono } from '@hono/zod-openapi';
import events from '../../asyncapi.json';
import type { App, AppEnv } from '../env.ts';
import { describeApi } from '../openapi.ts';
import type { ApiDocument } from '../openapi/operations.ts';
import { pageOf } from '../openapi/page.ts';

/**
 * `/openapi.json`, and `/docs`: a page of it that loads nothing. Both describe `api`, once an isolate. `/asyncapi.json` is the file of that name:
 * what it is made with does not have to be in a Worker.
 */
export function docsRoutes(api: () => App): App {
  let document: ApiDocument | undefined;
  let page: ReturnType<typeof pageOf> | undefined;
  const describe = (): ApiDocument => (document ??= describeApi(api()));
  const app = new OpenAPIHono<AppEnv>();

  app.get('/openapi.json', (c) => {
    c.header('Cache-Control', 'public, max-age=300');
    return c.json(describe());
  });

  app.get('/asyncapi.json', (c) => {
    c.header('Cache-Control', 'public, max-age=300');
    return c.json(events);
  });

  app.get('/docs', (c) => {
    c.header('Cache-Control', 'public, max-age=300');
    c.header('Content-Security-Policy', "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
    return c.html((page ??= pageOf(describe())));
  });

  return app;
}
