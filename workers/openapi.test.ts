import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createApp } from './app.ts';
import { POLICIES } from './middleware/limit-rate.ts';
import { describeApi } from './openapi.ts';
import { createServices } from './services.ts';

const root = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
const app = createApp(createServices());
const document = describeApi(app);

describe('the description of the API', () => {
  it('is the one checked in: run node scripts/openapi.ts', () => {
    expect(JSON.parse(root('openapi.json'))).toEqual(JSON.parse(JSON.stringify(document)));
  });

  it('has every route that is mounted', () => {
    const described = Object.entries(document.paths ?? {}).flatMap(([path, item]) => Object.keys(item).map((method) => `${method} ${path.replaceAll(/\{(.+?)\}/g, ':$1')}`));
    const mounted = app.routes.filter(({ method, path }) => method !== 'ALL' && !path.endsWith('*')).map(({ method, path }) => `${method.toLowerCase()} ${path}`);
    const undescribed = new Set(['get /openapi.json', 'get /docs']);
    expect([...new Set(mounted)].filter((route) => !undescribed.has(route)).toSorted()).toEqual(described.toSorted());
  });

  it('says of every guarded route how to be refused', () => {
    for (const [path, item] of Object.entries(document.paths ?? {})) {
      if (!path.startsWith('/v1/')) continue;
      for (const operation of Object.values(item)) expect(Object.keys((operation as { responses: object }).responses)).toEqual(expect.arrayContaining(['401', '403', '503']));
    }
  });
});

it('the quotas that answers announce are the ones the platform counts', () => {
  const declared = [...root('wrangler.toml').matchAll(/name = "(LIMIT_\w+)"[^[]*?limit = (\d+), period = (\d+)/g)].map(([, binding, quota, window]) => [binding, Number(quota), Number(window)]);
  expect(declared).toEqual(Object.values(POLICIES).map(({ binding, quota, window }) => [binding, quota, window]));
});
