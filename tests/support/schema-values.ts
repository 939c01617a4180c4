import { integer } from '../../client/testing/random.ts';

/** The keywords that values are made by. */
interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: unknown;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly pattern?: string;
  readonly format?: string;
}

export interface Source {
  readonly random: () => number;
  /** Ids that something has, or had. */
  readonly ids: readonly string[];
  resolve(ref: string): unknown;
}

const TEXTS = ['a', 'engine', 'Straße', '👍', '東京', 'a\u0301', '‮abc', "'; DROP TABLE users;--", '${1}', '../x', '%00', '<b>', 'a b', 'A'.repeat(64), '0', 'null', '"1"', 'image/png', 'me', 'Europe/Berlin', 'x on:9999-12-31', 'a after:0001-01-01T00:00+14:00', 'from:me in:@x "a b', 'a or -b has:link is:dm'];
const MOMENTS = ['2026-11-26T10:00:00.000Z', '0000-01-01T00:00:00Z', '9999-12-31T23:59:59.999Z', '2026-02-28T23:59:59+23:59', '2026-11-26T10:00:00-16:00', '0001-01-01T00:00:00+14:00', '9999-12-31T23:59:59-15:59', '2016-12-31T23:59:60Z'];

const pick = <T>(random: () => number, list: readonly T[]): T | undefined => list[integer(random, list.length)];

/** A value by a schema, most often one that is of it: what `pattern` says besides is tried with a few texts. */
export function valueOf(given: unknown, source: Source, depth = 0): unknown {
  const schema = given as Schema;
  const { random } = source;
  if (schema.$ref !== undefined) return valueOf(source.resolve(schema.$ref), source, depth);
  if (schema.const !== undefined) return schema.const;
  if (schema.enum !== undefined) return pick(random, schema.enum);
  const branches = schema.type === undefined ? (schema.anyOf ?? schema.oneOf) : undefined;
  if (branches !== undefined) return valueOf(pick(random, branches), source, depth);
  switch (pick(random, [schema.type ?? 'null'].flat())) {
    case 'string':
      return textOf(schema, source);
    case 'integer':
    case 'number':
      return numberOf(schema, random);
    case 'boolean':
      return random() < 0.5;
    case 'array':
      return depth > 6 ? [] : listOf(schema, source, depth);
    case 'object':
      return objectOf(schema, source, depth);
    default:
      return null;
  }
}

function textOf({ pattern, format, minLength = 0, maxLength = 300 }: Schema, { random, ids }: Source): string {
  if (format === 'date-time') return pick(random, MOMENTS) ?? '';
  if (pattern === undefined) return (pick(random, TEXTS) ?? '').slice(0, maxLength).padEnd(minLength, 'x');
  const known = ids.length > 0 && random() < 0.8 ? [pick(random, ids) ?? ''] : [];
  const fitting = [...known, ...TEXTS, crypto.randomUUID()].filter((text) => new RegExp(pattern, 'u').test(text) && text.length >= minLength && text.length <= maxLength);
  return (known[0] === fitting[0] ? fitting[0] : pick(random, fitting)) ?? 'x';
}

function numberOf({ minimum = -10, maximum = 1_000 }: Schema, random: () => number): number {
  return pick(random, [minimum, maximum, Math.min(maximum, minimum + integer(random, 20)), Math.min(maximum, 1)]) ?? minimum;
}

function listOf({ items = {}, minItems = 0, maxItems = 5 }: Schema, source: Source, depth: number): unknown[] {
  const length = minItems + integer(source.random, Math.min(maxItems, minItems + 4) - minItems + 1);
  return Array.from({ length }, () => valueOf(items, source, depth + 1));
}

function objectOf({ properties = {}, required = [] }: Schema, source: Source, depth: number): object {
  const present = Object.entries(properties).filter(([name]) => required.includes(name) || (depth < 6 && source.random() < 0.6));
  return Object.fromEntries(present.map(([name, schema]) => [name, valueOf(schema, source, depth + 1)]));
}

/** What is put in the place of something, to be refused. */
const WRONG: readonly unknown[] = [null, true, -1, 2 ** 60, 1e308, '', 'a\u0000b', '\ud83d', 'x'.repeat(20_000), [], {}, [[[[]]]], { constructor: { prototype: {} } }, -0.5];

/** The same value with one thing in it exchanged, left out, or added. */
export function spoil(value: unknown, random: () => number): unknown {
  if (typeof value !== 'object' || value === null || Object.keys(value).length === 0 || random() < 0.1) return pick(random, WRONG);
  const entries = Object.entries(value);
  const at = integer(random, entries.length);
  if (Array.isArray(value)) return entries.map(([, item], n) => (n === at ? spoil(item, random) : (item as unknown)));
  if (random() < 0.2) return { ...value, [pick(random, ['unknown', '__proto__x', 'id', 'author_id']) ?? '']: 1 };
  if (random() < 0.3) return Object.fromEntries(entries.filter((_, n) => n !== at));
  return Object.fromEntries(entries.map(([name, item]: [string, unknown], n) => [name, n === at ? spoil(item, random) : item]));
}
