import { expect, it } from 'vitest';
import openapi from '../openapi.json' with { type: 'json' };
import { AUDITED, NOT_AUDITED } from './support/audited-routes.ts';

const CHANGING = new Set(['post', 'put', 'patch', 'delete']);
const routes = Object.entries(openapi.paths).flatMap(([path, methods]) =>
  Object.keys(methods).filter((method) => CHANGING.has(method) && path.startsWith('/v1/')).map((method) => `${method.toUpperCase()} ${path}`),
);

it('of every route that changes something it is said whether it is audited (what is, does so in workers/routes/audit.workerd.test.ts)', () => {
  const known = [...Object.keys(AUDITED), ...Object.keys(NOT_AUDITED)];
  expect(known.toSorted()).toEqual(routes.toSorted());
});

it('there is no change for administrators that is not', () => {
  expect(Object.keys(NOT_AUDITED).filter((route) => route.includes('/admin/'))).toEqual([]);
});
