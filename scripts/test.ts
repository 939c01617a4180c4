import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { z } from 'zod';
import { lintChecks, runChecks, typeChecks, type Check } from './check.ts';
import { runProgram } from './process.ts';

/**
 * The README's test command: checks, then every vitest project, one after the other. Ends with a line `N passed, N failed`.
 * What was skipped for want of a component is named with the command that brings it; with CI=true a skip is a failure.
 */
const PROJECTS = ['unit', 'workerd', 'pg', 'kafka', 'e2e'] as const;

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

interface Tally {
  passed: number;
  failed: number;
  skipped: string[];
  /** What failed, and the beginning of why: said once more at the end, where a long log is looked at first. */
  failures: string[];
}

const WHY_CHARS = 1500;

const buildChecks: readonly Check[] = [
  { name: 'the page builds', run: () => runProgram('vite', ['build', 'web'], { capture: true }) },
  {
    name: 'the Worker bundles (wrangler deploy --dry-run)',
    run: () => runProgram('wrangler', ['deploy', '--dry-run', '--outdir', '.colink/dry-run'], { capture: true }),
  },
];

function readTally(file: string): Tally {
  const tally: Tally = { passed: 0, failed: 0, skipped: [], failures: [] };
  for (const suite of reportSchema.parse(JSON.parse(readFileSync(file, 'utf8'))).testResults) {
    const file = relative(process.cwd(), suite.name);
    if (suite.status === 'failed' && suite.assertionResults.length === 0) {
      tally.failed += 1;
      tally.failures.push(`${file}\n${(suite.message ?? '').slice(0, WHY_CHARS)}`);
    }
    for (const test of suite.assertionResults) {
      if (test.status === 'passed') tally.passed += 1;
      else if (test.status === 'failed') {
        tally.failed += 1;
        tally.failures.push(`${file}: ${test.fullName}\n${(test.failureMessages ?? []).join('\n').slice(0, WHY_CHARS)}`);
      }
      else tally.skipped.push(test.fullName);
    }
  }
  return tally;
}

async function runProject(project: string, folder: string): Promise<Tally> {
  const file = join(folder, `${project}.json`);
  console.log(`\n— ${project} tests`);
  const { code } = await runProgram('vitest', ['run', '--project', project, '--reporter=default', '--reporter=json', `--outputFile.json=${file}`]);
  const tally = readTally(file);
  // Vitest also fails for errors outside any test (an unhandled rejection, a leak): count that as one failure.
  if (code !== 0 && tally.failed === 0) {
    tally.failed = 1;
    tally.failures.push(`${project}: an error outside of any test; it is printed with the project's tests`);
  }
  return tally;
}

async function main(): Promise<void> {
  const started = Date.now();
  const folder = mkdtempSync(join(tmpdir(), 'colink-test-'));
  const total: Tally = { passed: 0, failed: 0, skipped: [], failures: [] };
  const add = (part: Partial<Tally>): void => {
    total.passed += part.passed ?? 0;
    total.failed += part.failed ?? 0;
    total.skipped.push(...(part.skipped ?? []));
    total.failures.push(...(part.failures ?? []));
  };
  const wanted = process.argv.slice(2);
  if (wanted.length === 0) add(await runChecks([...buildChecks, ...lintChecks, ...typeChecks]));
  for (const project of PROJECTS) if (wanted.length === 0 || wanted.includes(project)) add(await runProject(project, folder));
  rmSync(folder, { recursive: true });

  if (total.skipped.length > 0) {
    console.log(`\nSkipped, because this machine lacks a component (npm run setup brings it):`);
    for (const name of total.skipped) console.log(`  ${name}`);
    if (process.env['CI'] === 'true') total.failed += total.skipped.length;
  }
  for (const failure of total.failures) console.log(`\nFailed: ${failure}`);
  console.log(`\n${Math.round((Date.now() - started) / 1000)} s`);
  console.log(`${total.passed} passed, ${total.failed} failed`);
  process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;
}

await main();
