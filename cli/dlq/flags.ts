import { userInfo } from 'node:os';
import { z } from 'zod';
import type { Selection } from '../../db/queries/dead-letter-selection.ts';
import { type DeadLetterFilter, deadLetterFilterSchema } from '../../protocol/dead-letters.ts';
import { idSchema } from '../../protocol/primitives.ts';

/** The command line gives numbers where words look like some. */
export const wordSchema = z.union([z.string(), z.number()]).transform(String);

const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `2h` ago, or a moment such as `2026-11-26T03:00:00Z`. */
const sinceSchema = wordSchema.transform((text) => {
  const [, amount, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  return amount === undefined || unit === undefined ? text : new Date(Date.now() - Number(amount) * UNITS[unitOf(unit)]).toISOString();
});
const unitOf = z.enum(['s', 'm', 'h', 'd']).parse;

export const filterFlags = {
  group: wordSchema.optional(),
  topic: z.string().optional(),
  status: z.string().optional(),
  errorClass: wordSchema.optional(),
  since: sinceSchema.optional(),
  until: sinceSchema.optional(),
};
type FilterFlags = z.infer<z.ZodObject<typeof filterFlags>>;

export const actFlags = {
  /** Who acts, as the audit names them. */
  by: wordSchema.default(() => userInfo().username).transform((name) => `cli:${name}`),
};

/** The flags of one act; throws one sentence for what it does not know or cannot read. */
export function readFlags<S extends z.ZodRawShape>(shape: S, flags: object): z.infer<z.ZodObject<S>> {
  const { '--': _rest, ...given } = { '--': null, ...flags };
  return readBy(z.strictObject(shape), given);
}

export function readFilter({ errorClass, ...rest }: FilterFlags): DeadLetterFilter {
  const given = Object.entries({ ...rest, error_class: errorClass }).filter(([name, value]) => value !== undefined && name in deadLetterFilterSchema.shape);
  return readBy(deadLetterFilterSchema, Object.fromEntries(given));
}

export const readIds = (ids: readonly string[]): string[] => readBy(z.array(idSchema), ids);

/** What an act is done to: letters by name, or by filter; to all there are only if `all` says so. */
export function readSelection(ids: readonly string[], flags: FilterFlags & { readonly all: boolean }): Selection {
  const filter = readFilter(flags);
  const isFiltered = Object.keys(filter).length > 0;
  if (filter.status !== undefined) throw new Error('only pending letters are redriven or discarded: leave --status out');
  if (ids.length > 0 && (isFiltered || flags.all)) throw new Error('name letters, or filter them: not both');
  if (ids.length === 0 && !isFiltered && !flags.all) throw new Error('which ones? Name letters by id, filter them (--group, --topic, --error-class, --since, --until), or say --all');
  return ids.length > 0 ? { ids: readIds(ids) } : { filter };
}

function readBy<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new Error(parsed.error.issues.map(({ path, message }) => [path.join('.'), message].filter((part) => part !== '').join(': ')).join('; '));
}
