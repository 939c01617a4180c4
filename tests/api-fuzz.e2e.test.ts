import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { users } from '../db/schema/tables.ts';
import { scopeSchema } from '../protocol/scopes.ts';
import type { Operation } from './support/api-document.ts';
import { faultsOf } from './support/contract.ts';
import { type Case, caseOf, seeds, Told } from './support/fuzz-cases.ts';
import { rawRequest } from './support/raw-http.ts';
import { document, requestOf } from './support/route-requests.ts';
import { seedOfRun } from './support/seed.ts';
import { startWorld, type World } from './support/world.ts';

/** Each case has a seed of its own, from this on. More cases: `FUZZ_CASES=20000 vitest run --project e2e tests/api-fuzz.e2e.test.ts`. */
const SEED = seedOfRun();
const CASES = Number(process.env['FUZZ_CASES'] ?? 2_000);
const AT_ONCE = 6;
/** The first of these own what there is, the second are its administrators, too. */
const ROLES = ['admin', 'admin', 'moderator', 'moderator', 'member', 'member', 'guest', 'guest'] as const;

let world: World;
let tokens: string[];
const told = new Told();

beforeAll(async () => {
  // More than a user's quota, for the answer to most requests would be 429.
  world = await startWorld('api-fuzz', 'embedded', { requestsPerMinute: 1_000_000 });
  const callers = await Promise.all(ROLES.map((_, n) => world.user(`fuzz-${n}`, { scopes: scopeSchema.options })));
  tokens = callers.map(({ token }) => token);
  const channel = await world.channel('fuzz', callers);
  for (const [n, { id }] of callers.entries()) await world.db.update(users).set({ role: ROLES[n] }).where(eq(users.id, id));
  told.keepIds([channel, callers.map(({ id }) => id)]);
  told.follow(operationOf('POST /v1/channels'), {}, 201, { id: channel });
  await there('POST /v1/channels', { name: 'fuzz-private', kind: 'private' });
  await there('POST /v1/direct-channels', { user_ids: [callers[1]?.id] });
  for (const one of seeds(told, tokens)) told.keep(one, await rawRequest(world.baseUrl, one.request));
  told.pin();
});
afterAll(() => world?.close());

function operationOf(name: string): Operation {
  const operation = document.operations.find((candidate) => candidate.name === name);
  if (operation === undefined) throw new Error(`there is no ${name}`);
  return operation;
}

/** Makes what no example of the document makes. */
async function there(name: string, body: object): Promise<void> {
  const operation = operationOf(name);
  const answer = await rawRequest(world.baseUrl, requestOf(operation, {}, tokens[0], { body: { type: 'application/json', text: JSON.stringify(body) } }));
  expect({ name, status: answer.status }).toEqual({ name, status: 201 });
  told.keep({ operation, names: {} }, answer);
}

async function faultsOfCase({ operation, names, request, isBad }: Case, statuses: Map<number, number>): Promise<string[]> {
  const answer = await rawRequest(world.baseUrl, request);
  const { status, headers, text } = answer;
  statuses.set(status, (statuses.get(status) ?? 0) + 1);
  told.keep({ operation, names }, answer);
  const faults = faultsOf(document, { method: request.method, path: request.path, status, headers: (name) => headers[name]?.toString(), text });
  if (status >= 500) faults.push(`${operation.name} answered ${status}: ${text.slice(0, 200)}`);
  // Slack answers 200, and why not; its webhooks read what they are sent whatever its type is.
  if (isBad && status < 300 && !/^\/(slack|hooks)\//.test(operation.path)) faults.push('it took what is not of its schema');
  const asked = () => `${request.method} ${request.path} ${JSON.stringify({ ...request.headers, authorization: '…' })} ${String(request.body).slice(0, 300)}`;
  return faults.map((fault) => `${fault}: ${asked()}`);
}

it(`${CASES} requests from the document, right and wrong ones, are answered by it: no 5xx, no status or body that it does not tell of, nothing taken that it refuses (G8)`, { timeout: 600_000 }, async () => {
  const faults: string[] = [];
  const statuses = new Map<number, number>();
  let next = 0;
  const keepOn = async (): Promise<void> => {
    for (let n = next++; n < CASES && faults.length < 20; n = next++) {
      const found = await faultsOfCase(caseOf(SEED + n, told, tokens), statuses).catch((error: unknown) => [String(error)]);
      faults.push(...found.map((fault) => `case ${n}: ${fault}`));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, keepOn));
  console.log(`${Math.min(next, CASES)} cases from seed ${SEED} on: ${[...statuses].toSorted(([a], [b]) => a - b).map(([status, count]) => `${count} × ${status}`).join(', ')}`);
  expect(faults).toEqual([]);
  for (const status of [200, 404, 422]) expect(statuses.get(status) ?? 0).toBeGreaterThan(CASES / 20);
});
