import { describe, expect, it } from 'vitest';
import wranglerToml from '../wrangler.toml?raw';
import { createApp } from './app.ts';
import { POLICIES } from './middleware/limit-rate.ts';
import { describeApi } from './openapi.ts';
import { BODIES, RESOURCES } from './openapi/example-resources.ts';
import { TAGS } from './openapi/names.ts';
import { createServices } from './services.ts';
import { ApiDocument } from '../tests/support/api-document.ts';

const app = createApp(createServices());
const document = describeApi(app);
const api = new ApiDocument(document);
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

  it('shows an example of every body that is asked for or answered, and each is of its schema', () => {
    const faults = api.bodies.flatMap((body) => {
      const example = api.exampleOf(body);
      if (example === undefined) return [`${body.name}: no example`];
      return api.faults(body.pointer, example).map((fault) => `${body.name}: ${fault}`);
    });
    expect(faults).toEqual([]);
  });

  it('shows no body that there is none of', () => {
    expect(Object.keys(BODIES).filter((name) => !api.bodies.some((body) => name === body.name || name === `${body.name} ${body.type}`))).toEqual([]);
    expect(Object.keys(RESOURCES).filter((name) => !(name in (document.components?.schemas ?? {})))).toEqual([]);
  });

  it('names, groups and secures every operation, and describes every group', () => {
    const names = operations.map(({ operation }) => operation.operationId);
    expect(new Set(names).size).toBe(operations.length);
    expect(names.filter((name) => !/^[a-z][A-Za-z0-9]+$/.test(name ?? ''))).toEqual([]);
    const groups = new Set(operations.flatMap(({ operation }) => operation.tags ?? []));
    expect([...groups].toSorted()).toEqual(TAGS.map(({ name }) => name));
    expect(operations.filter(({ operation }) => operation.security === undefined)).toEqual([]);
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
