import { setTimeout as sleep } from 'node:timers/promises';
import type { CAC } from 'cac';
import { z } from 'zod';
import { type RestartAnnouncement, restartAnnouncementSchema } from '../protocol/api.ts';
import { problemSchema } from '../protocol/errors.ts';
import { adminFlags, parseFlags, withAccess } from './flags.ts';

/** How often a page is asked for again that the API is too busy for. */
const MAX_WAITS = 5;

/** `60`, `60s` or `2m`, in seconds. */
export const withinSchema = z
  .union([z.string(), z.number()], '--within is a time such as 60s')
  .transform(String)
  .pipe(z.string().regex(/^\d{1,3}[sm]?$/, '--within is a time such as 60s or 2m'))
  .transform((text) => Number.parseInt(text, 10) * (text.endsWith('m') ? 60 : 1))
  .pipe(z.int().min(1, '--within is at least 1s').max(120, '--within is at most 2m'));

const optionsSchema = z.object({
  within: withinSchema,
  cursor: z.string('--cursor is what an earlier run named').optional(),
  ...adminFlags,
});
type Options = z.infer<typeof optionsSchema>;

/** `colink announce-restart --within 60s`: before a deploy, so that clients come back one after the other. Exit code 1 where an object was not reached. */
export function registerAnnounceRestart(cli: CAC): void {
  cli
    .command('announce-restart', 'Ask all live sockets to come back within a time, before a deploy')
    .option('--within <time>', 'Over how long they spread, up to 2m', { default: '60s' })
    .option('--cursor <cursor>', 'Go on where a run ended that was cut off')
    .option('--token <token>', 'A token of an administrator with the scope admin (COLINK_TOKEN)')
    .option('--url <url>', 'The API, instead of the running `colink dev` (COLINK_URL)')
    .action(async (flags: object) => {
      process.exitCode = await announceRestart(parseFlags(optionsSchema, withAccess(flags)));
    });
}

async function announceRestart({ within, token, url, cursor }: Options): Promise<number> {
  const ask = (from: string | null) => announcePage(new URL('/v1/admin/restart-announcements', url), token, within, from);
  const { objects, sockets, unreached } = await announceAll(ask, cursor ?? null, (line) => console.error(line));
  console.log(`${sockets} sockets of ${objects} channels and inboxes come back within ${within} s; ${unreached} could not be reached`);
  return unreached === 0 ? 0 : 1;
}

type Told = Pick<RestartAnnouncement, 'objects' | 'sockets' | 'unreached'>;

/** Goes through all pages from `cursor` on. An error says where to go on. */
export async function announceAll(ask: (cursor: string | null) => Promise<RestartAnnouncement>, cursor: string | null, say: (line: string) => void): Promise<Told> {
  const told = { objects: 0, sockets: 0, unreached: 0 };
  for (let at = cursor, isFirst = true; isFirst || at !== null; isFirst = false) {
    const page = await ask(at).catch((cause: unknown) => {
      throw new Error(at === null ? reasonOf(cause) : `${reasonOf(cause)}; go on with --cursor ${at}`, { cause });
    });
    told.objects += page.objects;
    told.sockets += page.sockets;
    told.unreached += page.unreached;
    at = page.next_cursor;
    if (at !== null) say(`${told.sockets} sockets of ${told.objects} channels and inboxes so far`);
  }
  return told;
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

async function announcePage(url: URL, token: string, within: number, cursor: string | null): Promise<RestartAnnouncement> {
  for (let attempt = 0; ; attempt += 1) {
    const response = await fetch(url, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ within_seconds: within, ...(cursor !== null && { cursor }) }),
      signal: AbortSignal.timeout(60_000),
    });
    const body: unknown = await response.json();
    if (response.ok) return restartAnnouncementSchema.parse(body);
    const problem = problemSchema.safeParse(body).data;
    const wait = response.status === 429 || response.status === 503 ? (problem?.retry_after ?? 1) : null;
    if (wait === null || attempt >= MAX_WAITS) throw new Error(problem?.title ?? `the API answered ${response.status}`);
    await sleep(wait * 1_000);
  }
}
