import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { chooseSeed } from '../tests/support/seed.ts';
import { runProgram } from './process.ts';
import { type Failure, readReport } from './report.ts';

/**
 * `npm run explore -- [--project unit|workerd|pg|kafka|e2e]… [--times 20] [file…]`: tests that draw at random, again and again, each time from another seed. Without files, all that have theirs from
 * `tests/support/seed.ts`. Goes on after a failure, and ends with the commands that run each again; so it does when it is interrupted. Exit code 0: all held; 1: something failed; 2: a wrong call.
 */
const optionsSchema = z.object({
  project: z.array(z.enum(['unit', 'workerd', 'pg', 'kafka', 'e2e'])).default([]),
  times: z.coerce.number().int().positive().default(20),
});

const drawing = (): string[] => globSync('**/*.test.ts', { exclude: ['node_modules/**', '.colink/**'] }).filter((file) => readFileSync(file, 'utf8').includes("/support/seed.ts'"));

const again = (seed: number, file: string): string => `COLINK_SEED=${seed} npx vitest run ${file}`;

/** Of one run; the file of a failure that is no test's is all of them. */
async function tryOnce(seed: number, args: readonly string[], files: readonly string[], report: string): Promise<{ passed: number; failures: Failure[] }> {
  rmSync(report, { force: true });
  const { code, output } = await runProgram('vitest', ['run', ...args, '--reporter=json', `--outputFile.json=${report}`, ...files], { capture: true, env: { COLINK_SEED: String(seed) } });
  const results = existsSync(report) ? readReport(JSON.parse(readFileSync(report, 'utf8')), process.cwd()) : [];
  const failures = results.flatMap((result) => result.failures);
  if (code !== 0 && failures.length === 0) failures.push({ file: [...args, ...files].join(' '), test: null, why: output.slice(-1_500) });
  return { passed: results.reduce((sum, { passed }) => sum + passed, 0), failures };
}

async function explore(times: number, args: readonly string[], files: readonly string[]): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'colink-explore-'));
  const found: string[] = [];
  const interruption = new AbortController();
  process.once('SIGINT', () => interruption.abort());
  for (let n = 1; n <= times && !interruption.signal.aborted; n += 1) {
    const seed = chooseSeed({});
    const started = Date.now();
    const { passed, failures } = await tryOnce(seed, args, files, join(folder, 'report.json'));
    // What an interrupted run has to say is of the interruption.
    if (interruption.signal.aborted) break;
    console.log(`${n} of ${times}, seed ${seed}: ${passed} passed, ${failures.length} failed, in ${Math.round((Date.now() - started) / 1000)} s`);
    for (const { file, test, why } of failures) {
      found.push(`${again(seed, file)}  # ${test ?? 'outside of any test'}`);
      console.log(`\n${found.at(-1)}\n${why}\n`);
    }
  }
  rmSync(folder, { recursive: true });
  console.log(found.length === 0 ? '\nNothing failed' : `\nFailed:\n${found.join('\n')}`);
  return found.length === 0 ? 0 : 1;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({ options: { project: { type: 'string', multiple: true }, times: { type: 'string' } }, allowPositionals: true });
  const parsed = optionsSchema.safeParse(values);
  if (!parsed.success) {
    console.error(z.prettifyError(parsed.error));
    return 2;
  }
  const args = parsed.data.project.flatMap((project) => ['--project', project]);
  return explore(parsed.data.times, args, positionals.length > 0 ? positionals : drawing());
}

process.exitCode = await main();
