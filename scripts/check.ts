import { lockFileFaults } from './lock-file.ts';
import { runProgram } from './process.ts';

/** The checks that run no product code. `node scripts/check.ts lint|types` runs one group; `scripts/test.ts` runs both. */
export interface Check {
  readonly name: string;
  run(): Promise<{ code: number; output: string }>;
}

const program = (name: string, command: string, ...args: string[]): Check => ({
  name,
  run: () => runProgram(command, args, { capture: true }),
});

const lockFileIsPortable: Check = {
  name: 'lock file is whole and records no download address',
  run: async () => {
    const faults = lockFileFaults();
    return { code: faults.length, output: faults.join('\n') };
  },
};

export const lintChecks: readonly Check[] = [
  program('oxlint (rules and imports)', 'oxlint', '--deny-warnings'),
  program('knip (dead files, exports, dependencies)', 'knip', '--no-progress'),
  lockFileIsPortable,
  program('redocly (the document of the API, by redocly.yaml)', 'redocly', 'lint', 'openapi.json', '--config', 'redocly.yaml', '--max-problems', '50'),
  program('binding types match wrangler.toml', 'wrangler', 'types', '--include-runtime=false', '--strict-vars=false', '--check'),
];

const PROGRAMS = [
  ['the Node side', '.'],
  ['protocol', 'protocol'],
  ['workers', 'workers'],
  ['client', 'client'],
  ['web', 'web'],
  ['the unit tests of protocol, client and web', 'tests/unit-tests.tsconfig.json'],
] as const;
export const typeChecks: readonly Check[] = PROGRAMS.map(([of, project]) => program(`types of ${of}`, 'tsc', '-p', project));

/** Runs checks one after the other, prints a line each and the output of those that fail. Resolves to how many passed and failed. */
export async function runChecks(checks: readonly Check[]): Promise<{ passed: number; failed: number; failures: string[] }> {
  let passed = 0;
  const failures: string[] = [];
  for (const check of checks) {
    const { code, output } = await check.run();
    console.log(`${code === 0 ? 'ok  ' : 'FAIL'} ${check.name}`);
    if (code === 0) passed += 1;
    else {
      failures.push(check.name);
      console.log(output);
    }
  }
  return { passed, failed: failures.length, failures };
}

if (import.meta.main) {
  const { failed } = await runChecks(process.argv[2] === 'types' ? typeChecks : lintChecks);
  process.exitCode = failed === 0 ? 0 : 1;
}
