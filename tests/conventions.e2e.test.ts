import { eq } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { users } from '../db/schema/tables.ts';
import { MAX_BATCH_BODY_BYTES, MAX_BODY_BYTES } from '../protocol/limits.ts';
import { scopeSchema } from '../protocol/scopes.ts';
import type { Operation } from './support/api-document.ts';
import { problemOf, type RawResponse, rawRequest } from './support/raw-http.ts';
import { bodyOf, document, type Names, requestOf } from './support/route-requests.ts';
import { startWorld, type World, type WorldUser } from './support/world.ts';

/** What holds for every route, asked of each that the document has: one that lands tomorrow is asked, too. */
const OPERATIONS = document.operations.filter(({ path }) => path.startsWith('/v1/') && !path.endsWith('/socket'));
const CHANGES = OPERATIONS.filter(({ method }) => method !== 'GET');
const WITH_JSON = OPERATIONS.filter((operation) => bodyOf(operation)?.type === 'application/json');
const ALL_METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];
/** Stands where a value goes that no encoder would write. */
const MARK = 'value-under-test';
let world: World;
let alice: WorldUser;
let names: Names;

beforeAll(async () => {
  world = await startWorld('conventions');
  alice = await world.user('alice', { scopes: scopeSchema.options });
  const channel = await world.channel('conventions', [alice]);
  const { message_id } = await alice.api.send(channel, { client_msg_id: 'first', text: 'first' });
  names = { id: channel, channel_id: channel, message_id };
});
afterAll(() => world?.close());

const ask = (operation: Operation, changes: Parameters<typeof requestOf>[3] = {}, token: string | undefined = alice.token): Promise<RawResponse> =>
  rawRequest(world.baseUrl, requestOf(operation, names, token, changes));

/** What no browser may do with any answer. */
const SECURITY = { 'x-content-type-options': 'nosniff', 'content-security-policy': "default-src 'none'; frame-ancestors 'none'", 'referrer-policy': 'no-referrer', 'cache-control': 'no-store' };

it.each(OPERATIONS)('$name refuses in the common form: a problem with its code and the id of the request, nothing for browsers', async (operation) => {
  const headers = { 'x-request-id': `asked-${uuidv7()}`, traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', origin: 'https://evil.example' };
  const answer = await rawRequest(world.baseUrl, requestOf(operation, names, undefined, { headers }));
  expect(problemOf(answer)).toMatchObject({ code: 'unauthenticated', request_id: headers['x-request-id'] });
  expect(answer.headers).toMatchObject({ ...SECURITY, 'x-request-id': headers['x-request-id'], 'server-timing': expect.stringMatching(/^total;dur=/) });
  expect(answer.headers['access-control-allow-origin']).toBeUndefined();
});

it('every path answers 405 with Allow to each method that it has not got', async () => {
  const paths = Map.groupBy(document.operations, ({ path }) => path);
  for (const [path, operations] of paths) {
    const there = operations.map(({ method }) => method);
    for (const method of ALL_METHODS.filter((candidate) => !there.includes(candidate))) {
      const answer = await rawRequest(world.baseUrl, { ...requestOf({ ...(operations[0] as Operation), method }, names, alice.token), method, body: '' });
      expect({ path, method, code: problemOf(answer).code }).toEqual({ path, method, code: 'method_not_allowed' });
      expect(String(answer.headers['allow']).split(', ')).toEqual(expect.arrayContaining(there));
    }
  }
});

it.each(WITH_JSON)('$name takes JSON alone: 415 for another type, 400 for what is no JSON, 422 for a field that it does not know, 413 for too much', async (operation) => {
  const { text } = bodyOf(operation) ?? { text: '{}' };
  const codeOf = async (type: string, body: string): Promise<string> => problemOf(await ask(operation, { body: { type, text: body } })).code;
  expect(await codeOf('text/plain', text)).toBe('unsupported_media_type');
  expect(await codeOf('application/json', `${text.slice(0, -1)},`)).toBe('unreadable_body');
  const answer = problemOf(await ask(operation, { body: { type: 'application/json', text: JSON.stringify({ ...(JSON.parse(text) as object), nobody_knows_me: 1 }) } }));
  expect(answer).toMatchObject({ code: 'invalid', errors: expect.arrayContaining([{ pointer: '/nobody_knows_me', detail: expect.any(String) }]) });
  const most = /message-batches|dead-letters\//.test(operation.path) ? MAX_BATCH_BODY_BYTES : MAX_BODY_BYTES;
  // Refused for what it declares, before it is sent.
  const large = await ask(operation, { headers: { 'content-length': String(most + 1) } });
  expect(problemOf(large).code).toBe('body_too_large');
});

describe('Idempotency-Key (G2)', () => {
  it.each(CHANGES)('$name takes one, and refuses what is none', async (operation) => {
    expect(operation.parameters.map(({ name }) => name)).toContain('idempotency-key');
    expect(problemOf(await ask(operation, { headers: { 'idempotency-key': 'two words' } })).code).toBe('invalid');
  });
});

it('limited routes tell the quota, whatever they answer', async () => {
  const limited = OPERATIONS.filter(({ responses }) => '429' in responses);
  expect(limited.length).toBeGreaterThan(100);
  const unscoped = await world.user('unscoped', { scopes: [] });
  const told = async (operation: Operation, headers: Record<string, string>, token?: string) => ({ name: operation.name, policy: (await ask(operation, { headers }, token)).headers['ratelimit-policy'] });
  for (const operation of limited) {
    const policy = expect.stringMatching(/^"\w+";q=\d+;w=\d+$/);
    expect(await told(operation, {}, unscoped.token)).toEqual({ name: operation.name, policy });
    expect(await told(operation, operation.method === 'GET' ? {} : { 'idempotency-key': 'two words' })).toEqual({ name: operation.name, policy });
  }
});

async function administrator(handle: string): Promise<WorldUser> {
  const admin = await world.user(handle, { scopes: scopeSchema.options });
  await world.db.update(users).set({ role: 'admin' }).where(eq(users.id, admin.id));
  return admin;
}

const READS = document.operations.filter(({ method, path }) => method === 'GET' && path.startsWith('/v1/'));
/** Those that page. */
const LISTS = READS.filter(({ parameters }) => parameters.some(({ name }) => name === 'limit'));
/** In the form of all cursors, of a list that there is not. */
const cursorOf = (position: string): string => Buffer.from(`nothing\n${position}`).toString('base64url');
const integerSchema = z.looseObject({ type: z.literal('integer'), minimum: z.int(), maximum: z.int() });
/** Of each route the parameters of its query that the document calls integers, with their bounds. */
const INTEGERS = READS.flatMap((operation) => operation.parameters.flatMap(({ name, in: place, schema }) => (place === 'query' && integerSchema.safeParse(schema).success ? [{ operation, name, ...integerSchema.parse(schema) }] : [])));

describe('a parameter of a query', () => {
  const asked = (operation: Operation, query: string, token: string): Promise<RawResponse> => {
    const { path, ...request } = requestOf(operation, names, token);
    return rawRequest(world.baseUrl, { ...request, path: `${path}${path.includes('?') ? '&' : '?'}${query}` });
  };

  it('that is an integer is decimal digits, within its bounds, and given once: anything else is 422, and says which it was', async () => {
    const { token } = await administrator('counts');
    expect(INTEGERS.filter(({ name }) => name === 'limit').length).toBeGreaterThan(20);
    const faults: string[] = [];
    for (const { operation, name, minimum, maximum } of INTEGERS) {
      const none = ['', '%20', '%205', '5%20', '%2B5', '5.0', '1e1', '0x1', 'five', `5&${name}=5`, `${minimum - 1}`, maximum < Number.MAX_SAFE_INTEGER ? `${maximum + 1}` : '9007199254740992'];
      for (const value of none) {
        const { status, text } = await asked(operation, `${name}=${value}`, token);
        if (status !== 422 || !text.includes(`"pointer":"?${name}"`)) faults.push(`${operation.name} ?${name}=${value}: ${status} ${text.slice(0, 200)}`);
      }
    }
    expect(faults).toEqual([]);
  });

  it('that the route does not know is 422, and says which it was', async () => {
    const { token } = await administrator('slips');
    const faults: string[] = [];
    for (const operation of document.operations.filter(({ path }) => path.startsWith('/v1/'))) {
      const { status, text } = await asked(operation, 'limits=5&q%00=x', token);
      const told = ['?limits', '?q\\u0000'].every((pointer) => text.includes(`"pointer":"${pointer}"`));
      if (status !== 422 || !told) faults.push(`${operation.name}: ${status} ${text.slice(0, 300)}`);
    }
    expect(faults).toEqual([]);
  });

  it('that is a cursor is one of its own list: another is 400, what it says besides', async () => {
    const { token } = await administrator('turns');
    const faults: string[] = [];
    const places = LISTS.flatMap((operation) => operation.parameters.flatMap(({ name, in: place }) => (place === 'query' && ['cursor', 'before', 'after'].includes(name) ? [{ operation, name }] : [])));
    expect(places.length).toBeGreaterThan(20);
    for (const { operation, name } of places) {
      for (const value of ['', 'AAAA', '%00', '!', cursorOf('1'), cursorOf(uuidv7())]) {
        const { status, text } = await asked(operation, `${name}=${value}`, token);
        if (status !== 400 || !text.includes('"code":"bad_cursor"')) faults.push(`${operation.name} ?${name}=${value}: ${status} ${text.slice(0, 200)}`);
      }
    }
    expect(faults).toEqual([]);
  });
});

it('no value of a parameter makes any route fall over, as an administrator: NUL, what is no UTF-8, a surrogate, a number past all bounds', async () => {
  const admin = await administrator('admin');
  const faults: string[] = [];
  for (const operation of OPERATIONS.filter(({ method }) => method === 'GET')) {
    for (const { name, in: place } of operation.parameters.filter((parameter) => parameter.in === 'query' || parameter.in === 'path')) {
      for (const value of ['%00', '%ff', '%ED%A0%80', '9'.repeat(30)]) {
        const { path, ...request } = requestOf(operation, { ...names, [name]: MARK }, admin.token);
        const asked = path.includes(MARK) ? path.replace(MARK, value) : `${path}${path.includes('?') ? '&' : '?'}${name}=${value}`;
        const { status } = await rawRequest(world.baseUrl, { ...request, path: asked });
        if (status >= 500) faults.push(`${status}: ${operation.name} ${place} ${asked}`);
      }
    }
  }
  expect(faults).toEqual([]);
});
