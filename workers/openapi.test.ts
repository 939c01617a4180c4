import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import wranglerToml from '../wrangler.toml?raw';
import { createApp } from './app.ts';
import { POLICIES } from './middleware/limit-rate.ts';
import { describeApi } from './openapi.ts';
import { BODIES, RESOURCES } from './openapi/example-resources.ts';
import { TAGS } from './openapi/names.ts';
import { pageOf } from './openapi/page.ts';
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

  it.each([['putMePushSubscriptions', 'endpoint'], ['postWebhooks', 'url'], ['patchWebhooksById', 'url']])('says of %s that its %s is an address of the web', (operation, field) => {
    const body = api.bodies.find(({ name }) => name === `${operation} body`);
    if (body === undefined) throw new Error('there is no such body');
    const changed = (text: string): string[] => api.faults(body.pointer, { ...z.record(z.string(), z.unknown()).parse(api.exampleOf(body)), [field]: text });
    expect(['https://example.com/x', 'HTTP://127.0.0.1:1/'].flatMap(changed)).toEqual([]);
    expect(['nothing', '/relative', 'ftp://example.com/', 'https://'].filter((text) => changed(text).length === 0)).toEqual([]);
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

describe('the page of it', () => {
  const entities: Readonly<Record<string, string>> = { '&quot;': '"', '&#39;': "'", '&lt;': '<', '&gt;': '>', '&amp;': '&' };
  const page = String(pageOf(document));
  const text = page.replaceAll(/<[^>]+>/g, '').replaceAll(/&(?:quot|#39|lt|gt|amp);/g, (entity) => entities[entity] ?? '');

  it('has every operation once, in its group, with an example of every body that it takes, and of every one that it answers where it succeeds', () => {
    const groups = page.split('<h2 id="').slice(1);
    for (const { operation } of operations) {
      const [group, ...others] = groups.filter((part) => part.includes(`<details id="${operation.operationId}">`));
      expect([others, group?.slice(0, group.indexOf('"'))]).toEqual([[], operation.tags?.[0]]);
    }
    const shown = api.bodies.filter(({ name }) => / (?:body|2\d\d)$/.test(name));
    expect(shown.length).toBeGreaterThan(150);
    const missing = shown.filter((body) => {
      const example = api.exampleOf(body);
      return !text.includes(typeof example === 'string' ? example : JSON.stringify(example, null, 2));
    });
    expect(missing.map(({ name }) => name)).toEqual([]);
  });

  it('says what each parameter is, and which scope each operation needs', () => {
    expect(text).toContain('Makes repetitions harmless for 24 hours');
    for (const { operation } of operations) {
      const scope = operation.security?.flatMap((one) => one['bearer'] ?? [])[0];
      const own = page.slice(page.indexOf(`<details id="${operation.operationId}">`)).split('</details>')[0] ?? '';
      expect(own).toContain(scope === undefined ? 'Needs ' : `Needs the scope ${scope}.`);
      for (const parameter of operation.parameters ?? []) expect(own).toContain('name' in parameter ? `<code>${parameter.name}</code>` : '');
    }
  });

  it('runs and loads nothing', () => {
    expect(page).not.toMatch(/<script|<img|<link|src=|@import|url\(|\son\w+=/);
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
