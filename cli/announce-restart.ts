import type { CAC } from 'cac';
import { z } from 'zod';
import { readDevFile } from '../dev/dev-file.ts';
import { restartAnnouncementSchema } from '../protocol/api.ts';
import { problemSchema } from '../protocol/errors.ts';
import { DATA_DIR } from './data-dir.ts';

/** `60`, `60s` or `2m`, in seconds. */
export const withinSchema = z
  .union([z.string(), z.number()], '--within is a time such as 60s')
  .transform(String)
  .pipe(z.string().regex(/^\d{1,3}[sm]?$/, '--within is a time such as 60s or 2m'))
  .transform((text) => Number.parseInt(text, 10) * (text.endsWith('m') ? 60 : 1))
  .pipe(z.int().min(1, '--within is at least 1s').max(120, '--within is at most 2m'));

const optionsSchema = z.object({
  within: withinSchema,
  token: z.string('--token is missing: a token of an administrator with the scope admin (COLINK_TOKEN)'),
  url: z.url('nothing runs here: start `npm run dev`, or give --url'),
});
type Options = z.infer<typeof optionsSchema>;

/** `colink announce-restart --within 60s`: before a deploy, so that clients come back one after the other. Exit code 1 where an object was not reached. */
export function registerAnnounceRestart(cli: CAC): void {
  cli
    .command('announce-restart', 'Ask all live sockets to come back within a time, before a deploy')
    .option('--within <time>', 'Over how long they spread, up to 2m', { default: '60s' })
    .option('--token <token>', 'A token of an administrator with the scope admin (COLINK_TOKEN)')
    .option('--url <url>', 'The API, instead of the running `colink dev` (COLINK_URL)')
    .action(async (flags: object) => {
      const found = { token: process.env['COLINK_TOKEN'], url: process.env['COLINK_URL'] ?? readDevFile(DATA_DIR)?.url, ...flags };
      const parsed = optionsSchema.safeParse(found);
      if (!parsed.success) throw new Error(parsed.error.issues.map(({ message }) => message).join('; '));
      process.exitCode = await announceRestart(parsed.data);
    });
}

async function announceRestart({ within, token, url }: Options): Promise<number> {
  const response = await fetch(new URL('/v1/admin/restart-announcements', url), {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ within_seconds: within }),
    signal: AbortSignal.timeout(60_000),
  });
  const body: unknown = await response.json();
  if (!response.ok) throw new Error(problemSchema.safeParse(body).data?.title ?? `the API answered ${response.status}`);
  const { objects, sockets, unreached } = restartAnnouncementSchema.parse(body);
  console.log(`${sockets} sockets of ${objects} channels and inboxes come back within ${within} s; ${unreached} could not be reached`);
  return unreached === 0 ? 0 : 1;
}
