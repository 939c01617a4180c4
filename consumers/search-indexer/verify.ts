import type { Sql } from '../../db/client.ts';
import type { IndexSide } from '../../db/queries/search-index.ts';
import { checkPart, messageMonths, type PartCheck } from '../../db/queries/search-verify.ts';
import type { SearchKind } from '../../db/schema/search-tables.ts';

/** Holds an index against what it is derived from, part by part; while it is written, too. */
export async function checkIndex(sql: Sql, kind: SearchKind, side: IndexSide): Promise<PartCheck[]> {
  const checks: PartCheck[] = [];
  for (const part of kind === 'messages' ? await messageMonths(sql) : ['']) checks.push(await checkPart(sql, kind, side, part));
  return checks;
}

/** What is wrong with the parts, in words; none: all is right, or on its way. */
export const wrongRows = (checks: readonly PartCheck[]): string[] =>
  checks.filter(({ wrong }) => wrong > 0).map(({ part, wrong, examples }) => `${part === '' ? '' : `${part}: `}${wrong} rows, such as ${examples.slice(0, 3).join(', ')}`);
