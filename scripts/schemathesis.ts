import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { eq } from 'drizzle-orm';
import { z } from 'zod';
import { users } from '../db/schema/tables.ts';
import { scopeSchema } from '../protocol/scopes.ts';
import { startWorld, type World } from '../tests/support/world.ts';
import { runProgram } from './process.ts';

/**
 * `npm run fuzz:schemathesis -- [--as admin|moderator|member|guest] [--seed N] [--seconds N] [--cases N]`: Schemathesis in front of a whole stack, with positive and negative data
 * and the document's links. `--cases`: of an operation. It is fetched from PyPI once, into `.colink/schemathesis`. Exit code 0: no 5xx, no undocumented status, type, header or
 * body, nothing taken that the document refuses; 1: something of that; 2: a wrong call, or it cannot be had. Why it is not in CI: docs/decisions/0049.
 */
const VERSION = '4.32.5';
const HOME = join(import.meta.dirname, '..', '.colink', 'schemathesis');
const PROGRAM = join(HOME, VERSION, 'bin', 'schemathesis');

const optionsSchema = z.object({
  as: z.enum(['admin', 'moderator', 'member', 'guest']).default('admin'),
  seed: z.coerce.number().int().min(0).default(() => Math.floor(Math.random() * 2 ** 31)),
  seconds: z.coerce.number().int().positive().default(300),
  cases: z.coerce.number().int().positive().default(10),
});
type Options = z.infer<typeof optionsSchema>;

/** What the caller would sign itself out by, or sign off; sockets; and where Hypothesis fails by itself (an `AST constructor` of CPython 3.11, over a body of anything). */
const LEFT_OUT = String.raw`socket$|logout|revoke-others|credentials/|^/v1/admin/users/|^/hooks/`;

/** What OpenAPI has no words for, each with its answer in the document: a cursor of another list, a stale ETag, a key with another body, a file that is somebody else's. */
const CONFIG = `
[checks]
positive_data_acceptance.enabled = false
missing_required_header.expected-statuses = [400, 401, 403, 404, 422, 428]

# It speaks as Slack does: 200, and why not.
[[operations]]
include-path-regex = "^/slack/"
checks.negative_data_rejection.enabled = false
`;

async function install(): Promise<boolean> {
  if (existsSync(PROGRAM)) return true;
  const place = join(HOME, VERSION);
  const made = await runProgram('python3', ['-m', 'venv', place]).catch(() => ({ code: 1 }));
  const { code } = made.code === 0 ? await runProgram(join(place, 'bin', 'pip'), ['install', '--quiet', `schemathesis==${VERSION}`]) : made;
  if (code === 0) return true;
  rmSync(place, { recursive: true, force: true });
  console.error('Schemathesis cannot be had: it needs python3 with venv (Debian: python3-venv), and PyPI');
  return false;
}

/** Someone of this role in a channel with a message, and someone else who owns it. */
async function caller(world: World, role: Options['as']): Promise<string> {
  const [owner, asking] = [await world.user('owner'), await world.user('asking', { scopes: scopeSchema.options })];
  const channel = await world.channel('fuzz', [owner, asking]);
  await owner.api.send(channel, { client_msg_id: 'first', text: 'first' });
  await owner.api.openDirectChannel([asking.id]);
  await world.db.update(users).set({ role }).where(eq(users.id, asking.id));
  return asking.token;
}

async function fuzz(world: World, { as, seed, seconds, cases }: Options): Promise<number> {
  const config = join(HOME, 'schemathesis.toml');
  mkdirSync(HOME, { recursive: true });
  writeFileSync(config, CONFIG);
  console.log(`as ${as}, seed ${seed}, at most ${seconds} s`);
  const args = ['--seed', String(seed), '--max-time', String(seconds), '--max-examples', String(cases), '--workers', '2', '--continue-on-failure', '--request-timeout', '15', '--generation-database', 'none'];
  const header = `Authorization: Bearer ${await caller(world, as)}`;
  const { code } = await runProgram(PROGRAM, ['--config-file', config, 'run', `${world.baseUrl}/openapi.json`, '--header', header, '--exclude-path-regex', LEFT_OUT, ...args], { cwd: HOME });
  return code === 0 ? 0 : 1;
}

async function main(): Promise<number> {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({ options: { as: text, seed: text, seconds: text, cases: text } });
  const parsed = optionsSchema.safeParse(values);
  if (!parsed.success) console.error(z.prettifyError(parsed.error));
  if (!parsed.success || !(await install())) return 2;
  const world = await startWorld('schemathesis', 'embedded', { requestsPerMinute: 1_000_000 });
  return fuzz(world, parsed.data).finally(() => world.close());
}

process.exitCode = await main();
