import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chooseSeed } from '../tests/support/seed.ts';
import { lintChecks, runChecks, typeChecks, type Check } from './check.ts';
import { runProgram } from './process.ts';
import { filesAgain, readReport, withSecondRun, type Failure, type FileResult } from './report.ts';

/**
 * The README's test command: checks, then every vitest project, one after the other. Ends with a line `N passed, N failed`.
 * What was skipped for want of a component is named with the command that brings it; with CI=true a skip is a failure.
 * Files that failed run once more, alone; what then holds is told as unsteady (decision 0057).
 */
const PROJECTS = ['unit', 'workerd', 'pg', 'kafka', 'e2e'] as const;
type Project = (typeof PROJECTS)[number];

interface Tally {
  passed: number;
  failed: number;
  skipped: string[];
  /** Said once more at the end, where a long log is looked at first. */
  failures: string[];
  unsteady: string[];
}

const buildChecks: readonly Check[] = [
  { name: 'the page builds', run: () => runProgram('vite', ['build', 'web'], { capture: true }) },
  {
    name: 'the Worker bundles (wrangler deploy --dry-run)',
    run: () => runProgram('wrangler', ['deploy', '--dry-run', '--outdir', '.colink/dry-run'], { capture: true }),
  },
];

const told = ({ file, test, why }: Failure): string => `${file}${test === null ? '' : `: ${test}`}\n${why}`;

async function vitest(project: Project, folder: string, files: readonly string[]): Promise<{ code: number; results: FileResult[] }> {
  const report = join(folder, `${project}.json`);
  const { code } = await runProgram('vitest', ['run', '--project', project, '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...files]);
  return { code, results: readReport(JSON.parse(readFileSync(report, 'utf8')), process.cwd()) };
}

async function runProject(project: Project, folder: string): Promise<Tally> {
  console.log(`\n— ${project} tests`);
  const first = await vitest(project, folder, []);
  const files = filesAgain(first.results);
  if (files.length > 0) console.log(`\n— ${project} tests, once more: ${files.join(', ')}`);
  const last = files.length === 0 ? first : await vitest(project, folder, files);
  const { results, unsteady } = withSecondRun(first.results, files.length === 0 ? [] : last.results);
  const failures = results.flatMap((result) => result.failures).map(told);
  // Vitest also fails for errors outside any test (an unhandled rejection, a leak): count that as one failure.
  if (last.code !== 0 && failures.length === 0) failures.push(`${project}: an error outside of any test; it is printed with the project's tests`);
  return {
    passed: results.reduce((sum, { passed }) => sum + passed, 0),
    failed: failures.length,
    skipped: results.flatMap(({ skipped }) => skipped),
    failures,
    unsteady: unsteady.map(told),
  };
}

async function main(): Promise<void> {
  const started = Date.now();
  const folder = mkdtempSync(join(tmpdir(), 'colink-test-'));
  const total: Tally = { passed: 0, failed: 0, skipped: [], failures: [], unsteady: [] };
  const add = (part: Partial<Tally>): void => {
    total.passed += part.passed ?? 0;
    total.failed += part.failed ?? 0;
    total.skipped.push(...(part.skipped ?? []));
    total.failures.push(...(part.failures ?? []));
    total.unsteady.push(...(part.unsteady ?? []));
  };
  const seed = chooseSeed(process.env);
  console.log(`What is random follows from seed ${seed}: COLINK_SEED=${seed} runs it again`);
  // Also for what runs a second time: drawn anew it might hold for that alone.
  process.env['COLINK_SEED'] = String(seed);
  const wanted = process.argv.slice(2);
  if (wanted.length === 0) add(await runChecks([...buildChecks, ...lintChecks, ...typeChecks]));
  for (const project of PROJECTS) if (wanted.length === 0 || wanted.includes(project)) add(await runProject(project, folder));
  rmSync(folder, { recursive: true });

  if (total.skipped.length > 0) {
    console.log(`\nSkipped, because this machine lacks a component (npm run setup brings it):`);
    for (const name of total.skipped) console.log(`  ${name}`);
    if (process.env['CI'] === 'true') total.failed += total.skipped.length;
  }
  for (const failure of total.unsteady) console.log(`\nUnsteady, failed once and held when its file ran again: ${failure}`);
  for (const failure of total.failures) console.log(`\nFailed: ${failure}`);
  console.log(`\n${Math.round((Date.now() - started) / 1000)} s`);
  console.log(`${total.passed} passed, ${total.failed} failed`);
  process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;
}

await main();
