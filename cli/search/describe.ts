import type { Rebuild } from '../../db/queries/search-rebuild.ts';
import type { PartCheck } from '../../db/queries/search-verify.ts';

export function describeRebuild({ kind, source, state, filled, idleSeconds }: Rebuild): string {
  if (state === 'swapped') return `search_${kind}_old, which the last rebuild replaced, is still there (--drop-old)`;
  return `a rebuild from ${source} is ${state === 'filling' ? 'under way' : 'filled and not swapped'}: ${filled} rows, last worked on ${Math.round(idleSeconds)} s ago (--resume, --abort)`;
}

/** A line a part; a part without rows is not worth one. */
export function describeChecks(kind: string, checks: readonly PartCheck[]): string[] {
  const lines = checks.filter(({ rows, indexed }) => rows + indexed > 0).map((check) => `${kind}${check.part === '' ? '' : ` ${check.part}`}: ${describePart(check)}`);
  return lines.length === 0 ? [`${kind}: empty`] : lines;
}

function describePart({ rows, indexed, equal, waiting, wrong, examples }: PartCheck): string {
  const counts = `${rows} to be found, ${indexed} in the index`;
  if (equal) return `${counts}, the same`;
  const late = waiting === 0 ? '' : `, ${waiting} on their way`;
  return wrong === 0 ? `${counts}${late}` : `${counts}${late}, ${wrong} WRONG, such as ${examples.join(', ')}`;
}
