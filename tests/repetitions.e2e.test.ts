import { randomBytes } from 'node:crypto';
import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Bed } from './support/bed.ts';
import type { Effective } from './support/effective-requests.ts';
import { KEYED_ROUTES } from './support/keyed-routes.ts';
import { problemOf, type RawResponse, rawRequest } from './support/raw-http.ts';
import { bodyOf, document, requestOf } from './support/route-requests.ts';
import { startWorld, type World } from './support/world.ts';

/** Every route of the document that takes an Idempotency-Key, and those of which it says that it is of no effect. */
const CHANGES = document.operations.filter(({ path, parameters }) => path.startsWith('/v1/') && parameters.some(({ name }) => name === 'idempotency-key'));
const NO_EFFECT = CHANGES.filter(({ parameters }) => parameters.some(({ name, description }) => name === 'idempotency-key' && /of no effect/.test(String(description))));
const ROUTES = CHANGES.filter((operation) => !NO_EFFECT.includes(operation));

interface Made extends Effective {
  readonly key: string;
  readonly traceId: string;
  readonly first: RawResponse;
}

let world: World;
let bed: Bed;
/** By the name of the route: what was asked once, of everything, before anything was asked again. */
const made = new Map<string, Made>();

beforeAll(async () => {
  // Without consumers nothing changes by itself: what changes was asked for.
  world = await startWorld('repetitions', 'embedded', { consumers: false, redis: false });
  bed = new Bed(world);
  for (const operation of ROUTES) {
    const route = KEYED_ROUTES[operation.name];
    if (route === undefined) continue;
    const [effective, key, traceId] = [await route.prepare(bed), uuidv7(), randomBytes(16).toString('hex')];
    made.set(operation.name, { ...effective, key, traceId, first: await ask(operation.name, { ...effective, key, traceId }) });
  }
  await settled();
}, 240_000);
afterAll(() => world?.close());

type Wish = Pick<Made, 'caller' | 'names' | 'body' | 'etag' | 'key' | 'traceId'>;

/** One request of a route, as often as it is wished. */
function ask(name: string, { caller, names = {}, body, etag, key, traceId }: Wish): Promise<RawResponse> {
  const operation = ROUTES.find((candidate) => candidate.name === name);
  if (operation === undefined) throw new Error(`there is no ${name}`);
  const shown = bodyOf(operation);
  const headers = { 'idempotency-key': `"${key}"`, traceparent: `00-${traceId}-00f067aa0ba902b7-01`, ...(etag !== undefined && { 'if-match': etag }) };
  return rawRequest(world.baseUrl, requestOf(operation, names, caller.token, { headers, body: body === undefined ? shown : { type: 'application/json', text: JSON.stringify(body) } }));
}

function madeOf(name: string): Made {
  const found = made.get(name);
  if (found === undefined) throw new Error(`${name}: nobody says how it takes effect`);
  return found;
}

/** What is stored, by table: as many rows of such content. Kept answers, and when a token was used last, are no effect. */
async function stored(): Promise<Record<string, string>> {
  const tables = await world.sql<{ name: string }[]>`
    SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname NOT IN ('idempotency_keys', 'credentials') ORDER BY c.relname`;
  const sums: Record<string, string> = {};
  for (const { name } of tables) {
    const [row] = await world.sql<{ sum: string }[]>`SELECT count(*) || ' ' || coalesce(md5(string_agg(md5(t::text), '' ORDER BY md5(t::text))), '') AS sum FROM ${world.sql(name)} t`;
    sums[name] = row?.sum ?? '';
  }
  const [credentials] = await world.sql<{ sum: string }[]>`SELECT count(*) || ' ' || count(revoked_at) AS sum FROM credentials`;
  return { ...sums, credentials: credentials?.sum ?? '' };
}

/** What is stored once it stays as it is: rooms and inboxes have drained. */
async function settled(): Promise<Record<string, string>> {
  for (let before = await stored(); ; ) {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const now = await stored();
    if (JSON.stringify(now) === JSON.stringify(before)) return now;
    before = now;
  }
}

/** Shown once, and kept nowhere. */
const withoutSecrets = (text: string): unknown => (text === '' ? null : { ...(JSON.parse(text) as object), secret: null, token: null, url: null });

it('of every route with a key it is said how it takes effect, but of tickets, which are secrets and open one socket each', () => {
  expect(Object.keys(KEYED_ROUTES).toSorted()).toEqual(ROUTES.map(({ name }) => name).toSorted());
  expect(NO_EFFECT.map(({ name }) => name)).toEqual(['POST /v1/socket-tickets']);
});

describe('an Idempotency-Key (G2)', () => {
  it.each(ROUTES)('$name takes effect once, and is answered as it was, whoever else uses the key', async ({ name }) => {
    const { first, ...request } = madeOf(name);
    expect({ text: first.text, status: first.status, replayed: first.headers['idempotency-replayed'] }).toMatchObject({ status: expect.toSatisfy((status: number) => status < 300) });
    expect(first.headers['idempotency-replayed']).toBeUndefined();
    const again = await ask(name, request);
    expect({ status: again.status, replayed: again.headers['idempotency-replayed'], text: withoutSecrets(again.text) }).toEqual({ status: first.status, replayed: 'true', text: withoutSecrets(first.text) });
  });

  it.each(ROUTES.filter((operation) => bodyOf(operation)?.type === 'application/json'))('$name refuses another body under the same key', async ({ name }) => {
    const body = KEYED_ROUTES[name]?.other;
    if (body === undefined) throw new Error(`${name}: nobody says what else it may be asked`);
    expect(problemOf(await ask(name, { ...madeOf(name), body }))).toMatchObject({ code: 'idempotency_mismatch', status: 422 });
  });

  it('of all these repetitions none does anything', async () => {
    const before = await settled();
    for (const [name, { first: _, ...request }] of made) await ask(name, request);
    expect(await settled()).toEqual(before);
  });

  it.each(ROUTES)('$name is judged for itself where somebody else uses the key', async ({ name }) => {
    const theirs = await ask(name, { ...madeOf(name), caller: await bed.person() });
    expect({ replayed: theirs.headers['idempotency-replayed'], code: theirs.status < 300 ? null : problemOf(theirs).code }).toEqual({ replayed: undefined, code: expect.not.stringMatching(/^idempotency/) });
  });
});

describe('the trace of a request', () => {
  const traced = ROUTES.flatMap(({ name }) => {
    const event = KEYED_ROUTES[name]?.event;
    return event === undefined || event === null ? [] : [{ name, event }];
  });

  it.each(traced)('$name is on what it writes: $event', async ({ name, event }) => {
    const rows = await world.sql<{ type: string }[]>`SELECT type FROM event_log WHERE traceparent = ${`00-${madeOf(name).traceId}-00f067aa0ba902b7-01`}`;
    expect(rows.map(({ type }) => type)).toContain(`colink.${event}.v1`);
  });

  it('is on nothing else', async () => {
    const names = new Map([...made].map(([name, { traceId }]) => [`00-${traceId}-00f067aa0ba902b7-01`, name]));
    const rows = await world.sql<{ traceparent: string; type: string }[]>`SELECT DISTINCT traceparent, type FROM event_log WHERE traceparent IS NOT NULL`;
    const silent = rows.filter(({ traceparent }) => KEYED_ROUTES[names.get(traceparent) ?? '']?.event === null);
    expect(silent.map(({ traceparent, type }) => [names.get(traceparent), type])).toEqual([]);
  });
});
