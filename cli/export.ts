import type { CAC } from 'cac';
import { z } from 'zod';
import { runExport } from './export/run.ts';
import { adminFlags, parseFlags, withAccess } from './flags.ts';

const optionsSchema = z.object({
  to: z.string('--to is the file to write'),
  include: z.literal('private', '--include is private, or left out').optional(),
  ...adminFlags,
});

/** `colink export --to FILE`: everything, as JSONL (`docs/admin.md`). Cut off, the same command goes on. */
export function registerExport(cli: CAC): void {
  cli
    .command('export', 'Write users, channels, members, messages, reactions and files, one JSON document a line')
    .option('--to <file>', 'The file to write, or to go on with')
    .option('--include <what>', 'private: private and direct channels, too. That is audited')
    .option('--token <token>', 'A token of an administrator with the scope admin (COLINK_TOKEN)')
    .option('--url <url>', 'The API, instead of the running `colink dev` (COLINK_URL)')
    .action(async (flags: object) => {
      const { include, ...options } = parseFlags(optionsSchema, withAccess(flags));
      const { counts, sha256 } = await runExport({ ...options, includePrivate: include === 'private', note: (line) => console.error(line) });
      console.log(`${Object.entries(counts).map(([section, count]) => `${count} ${section}s`).join(', ')}: as many as were sent, by their hash ${sha256}`);
    });
}
