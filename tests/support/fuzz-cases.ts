import { pick, seededRandom } from '../../client/testing/random.ts';
import type { Operation } from './api-document.ts';
import { pointerTo, placeOf } from './api-document.ts';
import type { RawRequest, RawResponse } from './raw-http.ts';
import { bodyOf, document, type Names, requestOf } from './route-requests.ts';
import { type Source, spoil, valueOf } from './schema-values.ts';
import { distort } from './wire-faults.ts';

/** Kept ids of what answers tell of: requests go on with them. */
const MAX_IDS = 60;
/** Kept names of what was made, for each operation that takes it. */
const MAX_MADE = 12;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Not asked: what would take their access from those who ask, and sockets, which have a fuzzer of their own. */
const LEFT_OUT = /socket$|^\/auth|revoke-others|credentials\/|admin\/users\/|restart-announcements|^\/metrics/;
export const OPERATIONS = document.operations.filter(({ path }) => !LEFT_OUT.test(path));

export interface Case {
  readonly operation: Operation;
  readonly names: Names;
  readonly request: RawRequest;
  /** Whether the document refuses its body, or the protocol its bytes. */
  readonly isBad: boolean;
}

/** What answers have told of so far: ids, and by the document's links what can be asked about what was made. */
export class Told {
  readonly ids: string[] = [];
  #pinned = 0;
  readonly #made = new Map<string, Names[]>();

  /** Keeps what is known so far for good. */
  pin(): void {
    this.#pinned = this.ids.length;
  }

  keepIds(value: unknown): void {
    if (typeof value === 'string' && UUID.test(value) && !this.ids.includes(value)) this.ids.push(value);
    if (this.ids.length > this.#pinned + MAX_IDS) this.ids.splice(this.#pinned, 1);
    if (typeof value === 'object' && value !== null) for (const item of Object.values(value)) this.keepIds(item);
  }

  keep({ operation, names }: Pick<Case, 'operation' | 'names'>, { status, headers, text }: RawResponse): void {
    if (status >= 300 || headers['content-type'] !== 'application/json' || text === '') return;
    const body: unknown = JSON.parse(text);
    this.keepIds(body);
    this.follow(operation, names, status, body);
  }

  /** Follows the links of an answer. */
  follow(operation: Operation, names: Names, status: number, body: unknown): void {
    for (const { operationId, parameters } of Object.values(operation.responses[status]?.links ?? {})) {
      const found = Object.entries(parameters).map(([name, from]) => [name, from.startsWith('$request.path.') ? names[from.slice('$request.path.'.length)] : at(body, from.slice('$response.body#/'.length))]);
      if (!found.every((entry): entry is [string, string] => typeof entry[1] === 'string')) continue;
      this.#made.set(operationId, [...(this.#made.get(operationId) ?? []).slice(-MAX_MADE), Object.fromEntries(found)]);
    }
  }

  namesOf({ operationId }: Operation, random: () => number): Names {
    const made = this.#made.get(operationId) ?? [];
    return made.length > 0 ? pick(random, made) : {};
  }
}

const at = (body: unknown, path: string): unknown => path.split('/').reduce((value: unknown, key) => (typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined), body);

/** The case of a seed: what it asks follows from the seed, and from what was told before. */
export function caseOf(seed: number, told: Told, tokens: readonly string[]): Case {
  const random = seededRandom(seed);
  const source: Source = { random, ids: told.ids, resolve: (ref) => document.resolve(ref) };
  const operation = pick(random, OPERATIONS);
  // One alone, or some together.
  const [chance, one] = random() < 0.5 ? [0, pick(random, [...operation.parameters, null])] : [0.3, null];
  const drawn = operation.parameters.filter((parameter) => parameter.required === true || parameter === one || random() < chance).map((parameter) => ({ ...parameter, value: text(random() < 0.15 ? spoil('', random) : valueOf(parameter.schema, source)) }));
  const names: Names = { ...Object.fromEntries(drawn.map(({ name, value }) => [name, value.toWellFormed() || 'x'])), ...(random() < 0.6 && told.namesOf(operation, random)) };
  const { body, isBad } = drawBody(operation, source);
  // As Node sends them: one byte a character.
  const headers = Object.fromEntries(drawn.filter((parameter) => parameter.in === 'header').map(({ name, value }) => [name, value.replaceAll(/[^\t\x20-\x7e\x80-\xff]/g, '?').slice(0, 4_000)]));
  // The first has made what there is.
  const token = random() < 0.4 ? (tokens[0] ?? '') : pick(random, tokens);
  const request = requestOf(operation, names, token, { headers, body });
  const query = drawn.filter((parameter) => parameter.in === 'query').map(({ name, value }): [string, string] => [name, value.toWellFormed().slice(0, 2_000)]);
  const path = request.path.split('?', 1)[0] ?? '';
  const plain = { ...request, path: query.length > 0 ? `${path}?${new URLSearchParams(query)}` : path };
  if (random() > 0.25) return { operation, names, isBad, request: plain };
  const distorted = distort(plain, random);
  return { operation, names, ...distorted };
}

const text = (value: unknown): string => (typeof value === 'object' ? JSON.stringify(value) : String(value));

/** Half of them of the schema, as far as can be drawn, half of them spoilt. */
function drawBody(operation: Operation, source: Source) {
  const example = bodyOf(operation);
  if (example?.type !== 'application/json') return { body: example, isBad: false };
  const pointer = pointerTo(...placeOf(operation), 'requestBody', 'content', example.type, 'schema');
  const drawn = source.random() < 0.2 ? (JSON.parse(example.text) as unknown) : valueOf(operation.requestBody?.content[example.type]?.schema, source);
  const value = source.random() < 0.5 ? spoil(drawn, source.random) : drawn;
  return { body: { type: example.type, text: JSON.stringify(value) }, isBad: document.faults(pointer, value).length > 0 };
}

/** Requests by which there is one of everything that can be made, each after what it is made in: all are examples of the document. */
export function* seeds(told: Told, tokens: readonly string[]): Generator<Case> {
  const random = seededRandom(0);
  for (const operation of [...OPERATIONS, ...OPERATIONS].filter(({ responses }) => '201' in responses)) {
    const names = { channel_id: told.ids[0] ?? '', ...told.namesOf(operation, random) };
    yield { operation, names, isBad: false, request: requestOf(operation, names, tokens[0]) };
  }
}
