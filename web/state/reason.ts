import { ProblemError } from '../../client/errors.ts';

/** What went wrong, as people are told. */
export const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** As `reasonOf`; what is wrong with fields is told by their names, by which the page calls them. */
export function refusalOf(error: unknown, fields: Readonly<Record<string, string>>): string {
  if (error instanceof ProblemError && error.problem.errors) return error.problem.errors.map(({ pointer, detail }) => `${fieldAt(pointer, fields)} ${detail}`).join('; ');
  return reasonOf(error);
}

/** One of several in a field is told by its number. */
function fieldAt(pointer: string, fields: Readonly<Record<string, string>>): string {
  const [name = '', place = ''] = pointer.slice(1).split('/');
  const field = fields[name] ?? name;
  return /^\d+$/.test(place) ? `${field} ${Number(place) + 1}` : field;
}
