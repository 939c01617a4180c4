import { describe, expect, it } from 'vitest';
import wranglerToml from '../wrangler.toml?raw';
import { createApp } from './app.ts';
import { POLICIES } from './middleware/limit-rate.ts';
import { describeApi } from './openapi.ts';
import { createServices } from './services.ts';

const app = createApp(createServices());
const document = describeApi(app);
const operations = Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
  (['get', 'post', 'put', 'patch', 'delete'] as const).flatMap((method) => (item[method] ? [{ path, method, operation: item[method] }] : [])),
);

describe('the description of the API', () => {
  it('is the one checked in (write it anew with vitest -u)', async () => {
    await expect(`${JSON.stringify(document, null, 2)}\n`).toMatchFileSnapshot('../openapi.json');
  });

  it('has every route that is mounted, but itself', () => {
    const described = operations.map(({ path, method }) => `${method.toUpperCase()} ${path.replaceAll(/\{(.+?)\}/g, ':$1')}`);
    const mounted = app.routes.filter(({ method, path }) => method !== 'ALL' && !path.endsWith('*') && !path.startsWith('/internal/')).map(({ method, path }) => `${method} ${path}`);
    expect([...new Set(mounted)].toSorted()).toEqual([...described, 'GET /asyncapi.json', 'GET /docs', 'GET /openapi.json'].toSorted());
  });

  it('says of every guarded route how it may be refused', () => {
    for (const { operation } of operations.filter(({ path }) => path.startsWith('/v1/'))) {
      expect(Object.keys(operation.responses ?? {})).toEqual(expect.arrayContaining(['401', '403', '503']));
    }
  });
});

it('is served by the fast router, which takes no path that is ambiguous', () => {
  app.router.match('GET', '/health');
  expect(app.router.name).toBe('SmartRouter + RegExpRouter');
});

it('the quotas that answers announce are the ones the platform counts', () => {
  const declared = [...wranglerToml.matchAll(/name = "(LIMIT_\w+)"[^[]*?limit = (\d+), period = (\d+)/g)];
  expect(declared.map(([, binding, quota, window]) => [binding, Number(quota), Number(window)])).toEqual(
    Object.values(POLICIES).map(({ binding, quota, window }) => [binding, quota, window]),
  );
});
