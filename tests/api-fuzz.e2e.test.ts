import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { integer, seededRandom } from '../client/testing/random.ts';
import { users } from '../db/schema/tables.ts';
import { scopeSchema } from '../protocol/scopes.ts';
import type { Operation } from './support/api-document.ts';
import { pointerTo, placeOf } from './support/api-document.ts';
import { faultsOf } from './support/contract.ts';
import { type RawRequest, rawRequest } from './support/raw-http.ts';
import { bodyOf, document, requestOf } from './support/route-requests.ts';
import { type Source, spoil, valueOf } from './support/schema-values.ts';
import { startWorld, type World, type WorldUser } from './support/world.ts';

/** Another seed, or more cases: `FUZZ_SEED=7 FUZZ_CASES=20000 vitest run --project e2e tests/api-fuzz.e2e.test.ts`. Each case has a seed of its own, so that one can be run again. */
const SEED = Number(process.env['FUZZ_SEED'] ?? 20261126);
const CASES = Number(process.env['FUZZ_CASES'] ?? 2_000);
const AT_ONCE = 6;
/** Kept ids of what answers tell of: requests go on with them. */
const MAX_IDS = 60;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Not asked: what would take their access from those who ask, and sockets, which have a fuzzer of their own. */
const LEFT_OUT = /socket$|^\/auth|revoke-others|credentials\/|admin\/users\/|restart-announcements|^\/metrics/;
const OPERATIONS = document.operations.filter(({ path }) => !LEFT_OUT.test(path));

let world: World;
let callers: WorldUser[];
const ids: string[] = [];

beforeAll(async () => {
  world = await startWorld('api-fuzz');
  callers = await Promise.all(Array.from({ length: 8 }, (_, n) => world.user(`fuzz-${n}`, { scopes: scopeSchema.options })));
  for (const { id } of callers.slice(0, 4)) await world.db.update(users).set({ role: 'admin' }).where(eq(users.id, id));
  const channel = await world.channel('fuzz', callers);
  const { message_id } = await callerOf(0).api.send(channel, { client_msg_id: 'first', text: 'first' });
  ids.push(channel, message_id, ...callers.map(({ id }) => id));
});
afterAll(() => world?.close());

const callerOf = (n: number): WorldUser => callers[n % callers.length] as WorldUser;

interface Case {
  readonly operation: Operation;
  readonly request: RawRequest;
  /** Whether the document refuses its body. */
  readonly isBad: boolean;
}

function caseOf(n: number): Case {
  const random = seededRandom(SEED + n);
  const source: Source = { random, ids, resolve: (ref) => document.resolve(ref) };
  const operation = OPERATIONS[integer(random, OPERATIONS.length)] as Operation;
  const text = (value: unknown): string => (typeof value === 'object' ? JSON.stringify(value) : String(value));
  const drawn = operation.parameters.filter(({ required }) => required === true || random() < 0.3).map((parameter) => ({ ...parameter, value: text(random() < 0.15 ? spoil('', random) : valueOf(parameter.schema, source)) }));
  const names = Object.fromEntries(drawn.map(({ name, value }) => [name, value.toWellFormed() || 'x']));
  const { body, isBad } = drawBody(operation, source);
  const headers = Object.fromEntries(drawn.filter((parameter) => parameter.in === 'header').map(({ name, value }) => [name, value.replaceAll(/[^\x20-\x7e]/g, '?').trim().slice(0, 4_000)]));
  const request = requestOf(operation, names, callerOf(integer(random, callers.length)).token, { headers, body });
  const query = drawn.filter((parameter) => parameter.in === 'query').map(({ name, value }): [string, string] => [name, value.toWellFormed().slice(0, 2_000)]);
  const path = request.path.split('?', 1)[0] ?? '';
  return { operation, isBad, request: { ...request, path: query.length > 0 ? `${path}?${new URLSearchParams(query)}` : path } };
}

/** Half of them of the schema, as far as can be drawn, half of them spoilt. */
function drawBody(operation: Operation, source: Source) {
  const example = bodyOf(operation);
  if (example?.type !== 'application/json') return { body: example, isBad: false };
  const pointer = pointerTo(...placeOf(operation), 'requestBody', 'content', example.type, 'schema');
  const drawn = source.random() < 0.2 ? (JSON.parse(example.text) as unknown) : valueOf(operation.requestBody?.content[example.type]?.schema, source);
  const value = source.random() < 0.5 ? spoil(drawn, source.random) : drawn;
  return { body: { type: example.type, text: JSON.stringify(value) }, isBad: document.faults(pointer, value).length > 0 };
}

function keepIds(value: unknown): void {
  if (typeof value === 'string' && UUID.test(value) && !ids.includes(value)) ids.push(value);
  if (ids.length > MAX_IDS) ids.splice(2, 1);
  if (typeof value === 'object' && value !== null) Object.values(value).forEach(keepIds);
}

async function run(n: number, statuses: Map<number, number>): Promise<string[]> {
  const { operation, request, isBad } = caseOf(n);
  const { status, headers, text } = await rawRequest(world.baseUrl, request);
  statuses.set(status, (statuses.get(status) ?? 0) + 1);
  if (status < 300 && headers['content-type'] === 'application/json') keepIds(JSON.parse(text));
  const faults = faultsOf(document, { method: request.method, path: request.path, status, headers: (name) => headers[name]?.toString(), text });
  if (status >= 500) faults.push(`${operation.name} answered ${status}: ${text.slice(0, 200)}`);
  // Slack answers 200, and why not.
  if (isBad && status < 300 && !operation.path.startsWith('/slack/')) faults.push(`${operation.name} took what is not of its schema: ${String(request.body).slice(0, 300)}`);
  return faults.map((fault) => `case ${n}: ${fault}`);
}

it(`${CASES} requests from the document, right and wrong ones, are answered by it: no 5xx, no status or body that it does not tell of, nothing taken that it refuses (G8)`, { timeout: 600_000 }, async () => {
  const faults: string[] = [];
  const statuses = new Map<number, number>();
  let next = 0;
  const keepOn = async (): Promise<void> => {
    while (next < CASES && faults.length < 20) faults.push(...(await run(next++, statuses)));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, keepOn));
  console.log(`${next} cases from seed ${SEED} on: ${[...statuses].toSorted(([a], [b]) => a - b).map(([status, count]) => `${count} × ${status}`).join(', ')}`);
  expect(faults).toEqual([]);
  expect(statuses.get(200) ?? 0).toBeGreaterThan(CASES / 20);
  expect(statuses.get(422) ?? 0).toBeGreaterThan(CASES / 20);
});
