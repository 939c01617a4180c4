import { html } from 'hono/html';
import { OpenAPIHono } from '@hono/zod-openapi';
import events from '../../asyncapi.json';
import type { App, AppEnv } from '../env.ts';
import { describeApi } from '../openapi.ts';
import type { ApiDocument } from '../openapi/operations.ts';

/**
 * `/openapi.json`, and `/docs`: a page of it that loads nothing. Both describe `api`, once an isolate. `/asyncapi.json` is the file of that name:
 * what it is made with does not have to be in a Worker.
 */
export function docsRoutes(api: () => App): App {
  let document: ApiDocument | undefined;
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
    c.header('Content-Security-Policy', "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
    return c.html(page(describe()));
  });

  return app;
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;

function page({ info, paths = {} }: ApiDocument) {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${info.title} API</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color-scheme: light dark }
  code { font: 0.9em ui-monospace, monospace } summary { cursor: pointer } details { border-bottom: 1px solid #8884; padding: 0.4rem 0 }
  dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.2rem 1rem; margin: 0.5rem 0 } dd { margin: 0 }
</style>
</head>
<body>
<h1>${info.title} API</h1>
<p>${info.description} The schemas are in <a href="/openapi.json">openapi.json</a>; sockets and topics in <a href="/asyncapi.json">asyncapi.json</a>.</p>
${Object.entries(paths).flatMap(([path, item]) => METHODS.flatMap((method) => (item[method] ? [route(method, path, item[method])] : [])))}
</body>
</html>`;
}

type Operation = NonNullable<NonNullable<ApiDocument['paths']>[string]['get']>;

function route(method: string, path: string, { summary, description, parameters = [], responses = {} }: Operation) {
  return html`<details>
<summary><code>${method.toUpperCase()} ${path}</code> ${summary}</summary>
<p>${description}</p>
<dl>
${parameters.map((parameter) => ('name' in parameter ? html`<dt><code>${parameter.name}</code></dt><dd>${parameter.in}${parameter.required ? ', required' : ''}</dd>` : ''))}
${Object.entries(responses).map(([status, response]) => html`<dt>${status}</dt><dd>${'description' in response ? response.description : ''}</dd>`)}
</dl>
</details>`;
}
