import { relative } from 'node:path';
import { z } from 'zod';

/** What Vitest's JSON report says, by files, and what a second run of a file makes of the first. */
const reportSchema = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      message: z.string().optional(),
      assertionResults: z.array(z.object({ fullName: z.string(), status: z.string(), failureMessages: z.array(z.string()).nullish() })),
    }),
  ),
});

/** `test`: null where the file failed as a whole. `why`: the beginning of it. */
export interface Failure {
  readonly file: string;
  readonly test: string | null;
  readonly why: string;
}

export interface FileResult {
  readonly file: string;
  readonly passed: number;
  readonly skipped: readonly string[];
  readonly failures: readonly Failure[];
}

const WHY_CHARS = 1500;

/** Throws a `ZodError` where `json` is no such report. Files are told from `root`. */
export function readReport(json: unknown, root: string): FileResult[] {
  return reportSchema.parse(json).testResults.map(({ name, status, message, assertionResults: tests }) => {
    const file = relative(root, name);
    const of = (wanted: string) => tests.filter((test) => test.status === wanted);
    const failures: Failure[] = of('failed').map(({ fullName, failureMessages }) => ({ file, test: fullName, why: (failureMessages ?? []).join('\n').slice(0, WHY_CHARS) }));
    if (status === 'failed' && failures.length === 0) failures.push({ file, test: null, why: (message ?? '').slice(0, WHY_CHARS) });
    return { file, passed: of('passed').length, skipped: tests.filter((test) => test.status !== 'passed' && test.status !== 'failed').map((test) => test.fullName), failures };
  });
}

/** Most files of a project that get a second run: more that fail are no matter of time. */
const MOST_AGAIN = 3;

/** The files that get a second run; none where too many failed. */
export function filesAgain(results: readonly FileResult[]): string[] {
  const failed = results.filter(({ failures }) => failures.length > 0).map(({ file }) => file);
  return failed.length > MOST_AGAIN ? [] : failed;
}

/**
 * `first`, with the files that ran `again` as they then were. `unsteady`: what failed at first and held in the whole file's second run; a file that fails
 * twice tells both runs' failures, and one that did not come to run again, or ran less than before, stays as it was.
 */
export function withSecondRun(first: readonly FileResult[], again: readonly FileResult[]): { results: FileResult[]; unsteady: Failure[] } {
  const unsteady: Failure[] = [];
  const results = first.map((result) => {
    const second = again.find(({ file }) => file === result.file);
    if (second === undefined || result.failures.length === 0) return result;
    if (second.failures.length > 0) return { ...second, failures: [...result.failures, ...second.failures] };
    if (second.passed < result.passed || second.passed === 0) return result;
    unsteady.push(...result.failures);
    return second;
  });
  return { results, unsteady };
}
