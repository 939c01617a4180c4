import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { CAC } from 'cac';
import { z } from 'zod';
import { DEMO_ACCOUNTS } from '../dev/accounts.ts';
import { endLeftovers } from '../dev/leftovers.ts';
import { killGuarded } from '../dev/reaper.ts';
import { startStack, type PartLine, type Stack } from '../dev/stack.ts';
import { openTwin } from '../dev/unprivileged.ts';
import { DATA_DIR } from './data-dir.ts';
import { parseFlags } from './flags.ts';

const optionsSchema = z.object({
  port: z.int('--port is a number').min(1).max(65_535).optional(),
  postgres: z.string().optional(),
  transport: z.enum(['auto', 'kafka', 'embedded'], '--transport is auto, kafka or embedded').default('auto'),
  redis: z.boolean().default(true),
  clamd: z.boolean().default(true),
  reset: z.boolean().default(false),
});
type DevOptions = z.infer<typeof optionsSchema>;

/** `colink dev`: runs everything until Ctrl-C. */
export function registerDev(cli: CAC): void {
  cli
    .command('dev', 'Run Colink on this machine, with all it stands on')
    .option('--port <n>', 'Where the Worker listens (default 8787, or the next free one)')
    .option('--postgres <url>', 'Use this Postgres instead of one of its own')
    .option('--transport <name>', 'How events reach the consumers: auto, kafka or embedded', { default: 'auto' })
    .option('--no-redis', 'Run without the second cache level')
    .option('--no-clamd', 'Run without scanning files: they stay pending_scan')
    .option('--reset', `Clear all data in ${DATA_DIR} first`)
    .action(async (flags: unknown) => {
      process.exitCode = await dev(parseFlags(optionsSchema, flags));
    });
}

const dataDir = resolve(DATA_DIR);

async function dev(options: DevOptions): Promise<number> {
  const since = performance.now();
  const signal = interruption();
  if (options.reset) await reset();
  console.log('\nColink for development\n');
  const stack = await startStack({
    dataDir,
    ports: 'usual',
    ...(options.port !== undefined && { port: options.port }),
    ...(options.postgres !== undefined && { postgresUrl: options.postgres }),
    transport: options.transport,
    redis: options.redis,
    clamd: options.clamd,
    signal,
    report,
  }).catch((error: unknown) => {
    if (signal.aborted) return null;
    throw error;
  });
  if (stack !== null) await runUntil(signal, stack, since);
  return 0;
}

async function runUntil(signal: AbortSignal, stack: Stack, since: number): Promise<void> {
  console.log(welcome(stack.describe().url, (performance.now() - since) / 1_000));
  if (!signal.aborted) await new Promise((stop) => signal.addEventListener('abort', stop, { once: true }));
  const stopping = performance.now();
  console.log('\n  Stopping; once more to stop at once');
  await stack.stop();
  console.log(`  Stopped in ${((performance.now() - stopping) / 1_000).toFixed(1)} s. The data stays in ${DATA_DIR}; \`npm run dev\` goes on with it.`);
}

/** Aborts at the first signal; at the second one everything is killed. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  const interrupt = (): void => {
    if (!controller.signal.aborted) return controller.abort(new Error('interrupted'));
    killGuarded();
    process.exit(130);
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, interrupt);
  return controller.signal;
}

async function reset(): Promise<void> {
  await endLeftovers(dataDir, (line) => console.log(line));
  await rm(dataDir, { recursive: true, force: true });
  for (const part of ['postgres', 'clamd']) await rm(await openTwin(join(dataDir, part)), { recursive: true, force: true });
}

function report({ part, address, note }: PartLine): void {
  console.log(part === '' ? `  ${note}` : `  ${part.padEnd(9)} ${address.padEnd(22)} ${note}`);
}

const welcome = (url: string, seconds: number): string => `
  Open ${url} and sign in as ${DEMO_ACCOUNTS.map(({ handle }) => handle).join(' or ')}: the sign-in page asks for no password.
  A token for programs: npm run -s colink -- token --user ${DEMO_ACCOUNTS[0]?.handle ?? ''}
  Ready in ${seconds.toFixed(1)} s. Logs are in ${DATA_DIR}/logs. Ctrl-C stops everything.`;
