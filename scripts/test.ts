import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chooseSeed } from '../tests/support/seed.ts';
import { lintChecks, runChecks, typeChecks, type Check } from './check.ts';
import { runProgram } from './process.ts';
import { filesAgain, readReport, withSecondRun, type Failure, type FileResult } from './report.ts';

/**
 * The README's test command: checks, then every vitest project. Ends with a line `N passed, N failed`.
 * What was skipped for want of a component is named with the command that brings it; with CI=true a skip is a failure.
 * Files that failed run once more, alone; what then holds is told as unsteady (decision 0057).
 */
type Project = 'unit' | 'workerd' | 'pg' | 'kafka' | 'e2e';

/**
 * Stages run one after the other, the lanes of a stage side by side, the projects of a lane in turn. Unit and workerd tests keep two cores busy; the others wait for processes, brokers
 * and browsers most of the time, and each of their files has a stack or a topic of its own.
 */
const STAGES: readonly (readonly (readonly Project[])[])[] = [[['unit']], [['workerd']], [['e2e'], ['kafka', 'pg']]];

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

interface Run {
  readonly code: number;
  readonly results: FileResult[];
}

async function vitest(project: Project, folder: string, files: readonly string[], capture: boolean): Promise<Run> {
  const report = join(folder, `${project}.json`);
  const args = ['run', '--project', project, '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...files];
  const { code, output } = await runProgram('vitest', args, { capture });
  if (capture) console.log(`\n— ${project} tests\n${output}`);
  return { code, results: readReport(JSON.parse(readFileSync(report, 'utf8')), process.cwd()) };
}

/** The first lane is seen as it runs, and of the others each project when it has ended: what two print at once nobody can read. */
async function runLane(lane: readonly Project[], folder: string, isSeen: boolean): Promise<[Project, Run][]> {
  const runs: [Project, Run][] = [];
  for (const project of lane) {
    console.log(isSeen ? `\n— ${project} tests` : `\n— ${project} tests run meanwhile`);
    runs.push([project, await vitest(project, folder, [], !isSeen)]);
  }
  return runs;
}

async function runStage(lanes: readonly (readonly Project[])[], folder: string): Promise<Tally[]> {
  const runs = (await Promise.all(lanes.map((lane, n) => runLane(lane, folder, n === 0)))).flat();
  const tallies: Tally[] = [];
  for (const [project, first] of runs) tallies.push(await settle(project, first, folder));
  return tallies;
}

/** What failed runs once more, when nothing else runs. */
async function settle(project: Project, first: Run, folder: string): Promise<Tally> {
  const files = filesAgain(first.results);
  if (files.length > 0) console.log(`\n— ${project} tests, once more: ${files.join(', ')}`);
  const last = files.length === 0 ? first : await vitest(project, folder, files, false);
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
  for (const stage of STAGES) {
    const lanes = stage.map((lane) => lane.filter((project) => wanted.length === 0 || wanted.includes(project))).filter((lane) => lane.length > 0);
    for (const tally of await runStage(lanes, folder)) add(tally);
  }
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
