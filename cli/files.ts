import type { CAC } from 'cac';
import { z } from 'zod';
import { connect, type Sql } from '../db/client.ts';
import { countScans, listScans, requestRescans, type ScanRow } from '../db/queries/file-scans.ts';
import { idSchema } from '../protocol/primitives.ts';
import { parseFlags } from './flags.ts';
import { postgresUrl } from './postgres-url.ts';

const STATES = ['waiting', 'refused', 'infected', 'clean'] as const;

const optionsSchema = z.object({
  json: z.boolean().default(false),
  state: z.enum(STATES, `--state is one of ${STATES.join(', ')}`).default('refused'),
  limit: z.int('--limit is a number').min(1).max(1_000).default(50),
  since: z.iso.datetime({ offset: true, error: '--since is a time such as 2026-11-26T17:00:00Z' }).optional(),
  file: idSchema.optional(),
  all: z.boolean().default(false),
  unscanned: z.boolean().default(false),
});
type FilesOptions = z.infer<typeof optionsSchema>;

const ACTIONS: Readonly<Record<string, (sql: Sql, options: FilesOptions) => Promise<void>>> = { scans: printScans, rescan };

/** `colink files`: what the scanner says of files, and asking it again. For administrators: it names files of all channels. */
export function registerFiles(cli: CAC): void {
  cli
    .command('files <action>', 'scans: what waits, or was refused or found. rescan: has files scanned again')
    .option('--json', 'As JSON')
    .option('--state <state>', `Of scans: ${STATES.join(', ')}`, { default: 'refused' })
    .option('--limit <n>', 'Of scans: how many, the newest files first', { default: 50 })
    .option('--since <time>', 'Rescan files uploaded since')
    .option('--file <id>', 'Rescan this file')
    .option('--unscanned', 'Rescan those that were refused or never scanned')
    .option('--all', 'Rescan all files')
    .action(async (action: string, flags: unknown) => {
      const act = ACTIONS[action];
      if (act === undefined) throw new Error(`there is no colink files ${action}: there are ${Object.keys(ACTIONS).join(' and ')}`);
      const options = parseFlags(optionsSchema, flags);
      const { sql, close } = connect(postgresUrl(), { max: 1, applicationName: 'colink-files' });
      await act(sql, options).finally(() => close(1));
    });
}

async function printScans(sql: Sql, { json, state, limit }: FilesOptions): Promise<void> {
  const scans = await listScans(sql, state, limit);
  const { waiting, refused, oldestSeconds } = await countScans(sql);
  if (json) return console.log(JSON.stringify({ scans, waiting, refused, oldest_waiting_seconds: oldestSeconds }, null, 2));
  console.log(`${waiting} wait, the first for ${Math.round(oldestSeconds)} s; ${refused} are refused`);
  for (const scan of scans) console.log(describeScan(scan));
}

const describeScan = ({ fileId, state, name, size, signature, failure, attempts, scannedAt }: ScanRow): string =>
  [fileId, state, JSON.stringify(name), `${size} bytes`, signature ?? failure ?? '', attempts > 0 ? `${attempts} tries` : '', scannedAt ?? ''].filter(Boolean).join('  ');

async function rescan(sql: Sql, { since, file, all, unscanned, json }: FilesOptions): Promise<void> {
  if (since === undefined && file === undefined && !all && !unscanned) throw new Error('which files? --since <time>, --file <id>, --unscanned or --all');
  const files = await requestRescans(sql, { since: since ?? null, fileId: file ?? null, onlyUnscanned: unscanned });
  console.log(json ? JSON.stringify({ files }) : `${files} ${files === 1 ? 'file waits' : 'files wait'} for a scan`);
}
