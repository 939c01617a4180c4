#!/usr/bin/env -S node --disable-warning=TimeoutNegativeWarning
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { cac, type CAC } from 'cac';

type Load = () => Promise<(cli: CAC) => void>;

/** The image of the fleet has no stack to develop on, and none of the packages for it. */
const isCheckout = existsSync(join(import.meta.dirname, '..', 'dev', 'stack.ts'));
const FOR_CHECKOUTS: Readonly<Record<string, Load>> = { dev: async () => (await import('./dev.ts')).registerDev };

/** `colink <command>`: each command's module is loaded when it is called, so that a token costs no bundler. */
const COMMANDS: Readonly<Record<string, Load>> = {
  ...(isCheckout && FOR_CHECKOUTS),
  token: async () => (await import('./token.ts')).registerToken,
  migrate: async () => (await import('./migrate.ts')).registerMigrate,
  'announce-restart': async () => (await import('./announce-restart.ts')).registerAnnounceRestart,
  dlq: async () => (await import('./dlq.ts')).registerDlq,
  search: async () => (await import('./search.ts')).registerSearch,
  import: async () => (await import('./import-irc.ts')).registerImport,
  export: async () => (await import('./export.ts')).registerExport,
  audit: async () => (await import('./audit.ts')).registerAudit,
  files: async () => (await import('./files.ts')).registerFiles,
  fleet: async () => (await import('./fleet.ts')).registerFleet,
};

async function main(args: readonly string[]): Promise<void> {
  const cli = cac('colink');
  const named = COMMANDS[args[0] ?? ''];
  for (const load of named ? [named] : Object.values(COMMANDS)) (await load())(cli);
  cli.help();
  cli.parse(['node', 'colink', ...args], { run: false });
  if (cli.options['help']) return;
  if (!cli.matchedCommand) {
    cli.outputHelp();
    process.exitCode = args.length === 0 ? 0 : 1;
    return;
  }
  await cli.runMatchedCommand();
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(`colink: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});
