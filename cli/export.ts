import type { CAC } from 'cac';
import { z } from 'zod';
import { readDevFile } from '../dev/dev-file.ts';
import { DATA_DIR } from './data-dir.ts';
import { runExport } from './export/run.ts';

const optionsSchema = z.object({
  to: z.string('--to is the file to write'),
  include: z.literal('private', '--include is private, or left out').optional(),
  token: z.string('--token is missing: a token of an administrator with the scope admin (COLINK_TOKEN)'),
  url: z.url('nothing runs here: start `npm run dev`, or give --url'),
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
      const found = { token: process.env['COLINK_TOKEN'], url: process.env['COLINK_URL'] ?? readDevFile(DATA_DIR)?.url, ...flags };
      const parsed = optionsSchema.safeParse(found);
      if (!parsed.success) throw new Error(parsed.error.issues.map(({ message }) => message).join('; '));
      const { include, ...options } = parsed.data;
      const { counts, sha256 } = await runExport({ ...options, includePrivate: include === 'private', note: (line) => console.error(line) });
      console.log(`${Object.entries(counts).map(([section, count]) => `${count} ${section}s`).join(', ')}: as many as were sent, by their hash ${sha256}`);
    });
}
