import { copyFileSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Child, startChild, untilReady } from '../dev/child.ts';
import { answersAny, freePort } from '../dev/ports.ts';
import { FRONT_VARIABLE } from '../tests/support/detour.ts';
import { ValidationCount } from '../tests/support/validation-count.ts';
import { MAX_HEAD_BYTES, ValidationEnds } from '../tests/support/validation-ends.ts';
import { runProgram } from './process.ts';

/**
 * `npm run prism [-- file…]`: the end-to-end suite, or these files of it, with Prism as validation proxy between the stacks that tests start and what they ask by `fetch` and `rawRequest`, and
 * their browsers. It is fetched from npm once, into `.colink/prism`. Exit code 0: tests passed, answers were seen, each was judged, and none had a violation; 1: something of that; 2: it cannot be had. Why it is
 * not in CI, and what counts as a violation: docs/decisions/0049.
 */
const VERSION = '5.16.0';
const ROOT = join(import.meta.dirname, '..');
const HOME = join(ROOT, '.colink', 'prism');
const PLACE = join(HOME, VERSION);
const PROGRAM = join(PLACE, 'node_modules', '@stoplight', 'prism-cli', 'dist', 'index.js');
/** As the document was when the run began: Prism starts anew when the file that it reads changes, and is away meanwhile. */
const DOCUMENT = join(HOME, 'openapi.json');
const START_TIMEOUT_MS = 60_000;

async function install(): Promise<boolean> {
  if (existsSync(PROGRAM)) return true;
  mkdirSync(PLACE, { recursive: true });
  // One of its packages tells its maker of the installation, by a script.
  const { code } = await runProgram('npm', ['install', '--prefix', PLACE, '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', `@stoplight/prism-cli@${VERSION}`]);
  if (code === 0 && existsSync(PROGRAM)) return true;
  rmSync(PLACE, { recursive: true, force: true });
  console.error('Prism cannot be had: it needs npm');
  return false;
}

/** What is against a request names what it has, in a header, and a header takes no text past Latin-1: Prism then gives no answer at all. JSON can say the same by escapes. */
const ESCAPES = String.raw`
import { ServerResponse } from 'node:http';
const { setHeader } = ServerResponse.prototype;
const escaped = (text) => text.replace(/[^ -~]/g, (unit) => '\\u' + unit.charCodeAt(0).toString(16).padStart(4, '0'));
ServerResponse.prototype.setHeader = function (name, value) {
  return setHeader.call(this, name, name === 'sl-violations' ? escaped(value) : value);
};`;

async function startPrism(upstream: string, port: number): Promise<Child> {
  copyFileSync(join(ROOT, 'openapi.json'), DOCUMENT);
  // Without `--errors`, answers pass as they are and what they have against the document comes in a header; requests that are not of it reach the Worker, as some tests mean to.
  const node = ['--unhandled-rejections=warn', `--max-http-header-size=${MAX_HEAD_BYTES}`, '--import', `data:text/javascript,${encodeURIComponent(ESCAPES)}`];
  const args = [...node, PROGRAM, 'proxy', DOCUMENT, upstream, '--port', String(port), '--cors=false', '--errors=false', '--verboseLevel', 'fatal'];
  const prism = await startChild({ command: process.execPath, args, cwd: HOME, logFile: join(HOME, 'prism.log') });
  const probe = async (): Promise<void> => {
    if (!(await answersAny([`127.0.0.1:${port}`]))) throw new Error('it does not listen yet');
  };
  await untilReady(prism, probe, START_TIMEOUT_MS);
  return prism;
}

function report({ seen, unheld, violations, unjudged }: ValidationCount): boolean {
  console.log(`\nPrism saw ${seen} answers`);
  for (const [why, count] of unheld) console.log(`  besides: ${count} ${why}`);
  for (const [what, count] of unjudged) console.log(`  no verdict, ${count} times: ${what}`);
  for (const [what, count] of violations) console.log(`violation, ${count} times: ${what}`);
  const found = [...violations.values()].reduce((sum, count) => sum + count, 0);
  console.log(`${seen} seen, ${found} violations`);
  const isWhole = !unheld.has('no verdict');
  if (!isWhole) console.log('Prism has not said all that it should: .colink/prism/prism.log');
  return found === 0 && seen > 0 && isWhole;
}

async function main(): Promise<number> {
  if (!(await install())) return 2;
  const count = new ValidationCount();
  const ends = await ValidationEnds.listen((judged) => count.add(judged));
  const port = await freePort();
  const prism = await startPrism(ends.backUrl, port);
  ends.proxy = `127.0.0.1:${port}`;
  try {
    const { code } = await runProgram('vitest', ['run', '--project', 'e2e', ...process.argv.slice(2)], { env: { [FRONT_VARIABLE]: ends.frontAuthority } });
    await ends.close();
    const holds = report(count);
    if (code !== 0) console.log('tests failed');
    return code === 0 && holds ? 0 : 1;
  } finally {
    await prism.stop();
  }
}

process.exitCode = await main();
