import { setTimeout as sleep } from 'node:timers/promises';
import type { CAC } from 'cac';
import { z } from 'zod';
import { chooseConfig, rebuildIndex, type RebuildOptions } from '../consumers/search-indexer/rebuild.ts';
import { checkIndex, wrongRows } from '../consumers/search-indexer/verify.ts';
import { connect, type Sql } from '../db/client.ts';
import { countRows } from '../db/queries/search-verify.ts';
import { endRebuild, readIndexConfig, readRebuild } from '../db/queries/search-rebuild.ts';
import type { SearchKind } from '../db/schema/search-tables.ts';
import { parseFlags } from './flags.ts';
import { postgresUrl } from './postgres-url.ts';
import { describeChecks, describeRebuild } from './search/describe.ts';

const KINDS = ['messages', 'people', 'files'] as const satisfies readonly SearchKind[];

const optionsSchema = z.object({
  kind: z.enum(KINDS, `--kind is one of ${KINDS.join(', ')}`).optional(),
  from: z.enum(['postgres', 'log'], '--from is postgres or log').default('postgres'),
  config: z.string().max(63).optional(),
  rate: z.number('--rate is a number of rows a second').min(1, '--rate is at least 1').optional(),
  page: z.number('--page is a number of rows').int().min(1).max(10_000, '--page is at most 10000').default(1_000),
  dryRun: z.boolean().default(false),
  resume: z.boolean().default(false),
  abort: z.boolean().default(false),
  dropOld: z.boolean().default(false),
  json: z.boolean().default(false),
});
type Options = z.infer<typeof optionsSchema>;

type Act = (sql: Sql, kinds: readonly SearchKind[], options: Options) => Promise<void>;
const ACTS = new Map<string, Act>(Object.entries({ rebuild, verify, status }));

/** `colink search <act>`: the search index of DATABASE_URL, for people (`docs/search.md`). */
export function registerSearch(cli: CAC): void {
  cli
    .command('search <act>', `The search index: ${[...ACTS.keys()].join(', ')}`)
    .option('--kind <kind>', `Of ${KINDS.join(', ')}; all by default`)
    .option('--from <source>', 'rebuild: from postgres (the record) or log (the events, 30 days of them)', { default: 'postgres' })
    .option('--config <name>', 'rebuild: text search configuration of messages, such as simple or english')
    .option('--rate <n>', 'rebuild: at most so many rows a second')
    .option('--page <n>', 'rebuild: rows a transaction', { default: 1_000 })
    .option('--dry-run', 'rebuild: only say what would be done')
    .option('--resume', 'rebuild: go on with one that was cut off')
    .option('--abort', 'rebuild: take away one that was cut off')
    .option('--drop-old', 'rebuild: drop the table that the last one replaced')
    .option('--json', 'verify, status: as JSON')
    .action(async (name: string, flags: unknown) => {
      const act = ACTS.get(name);
      if (act === undefined) throw new Error(`there is no colink search ${name}: there are ${[...ACTS.keys()].join(', ')}`);
      const options = parseFlags(optionsSchema, flags);
      const { sql, close } = connect(postgresUrl(), { max: 2, applicationName: 'colink-search' });
      try {
        await act(sql, options.kind === undefined ? KINDS : [options.kind], options);
      } finally {
        await close(1);
      }
    });
}

async function rebuild(sql: Sql, kinds: readonly SearchKind[], options: Options): Promise<void> {
  if (options.dryRun) return dryRun(sql, kinds, options);
  if (options.abort || options.dropOld) return takeAway(sql, kinds, options.abort ? ['filling', 'filled'] : ['swapped']);
  for (const kind of kinds) await rebuildIndex(PORTS(sql), rebuildOptions(kind, options));
}

const PORTS = (sql: Sql) => ({ sql, now: Date.now, sleep: async (ms: number) => void (await sleep(ms)), report: (line: string) => console.log(line) });

const rebuildOptions = (kind: SearchKind, { from, config, resume, page, rate }: Options): RebuildOptions => ({
  kind, source: from, config: config ?? null, resume, pageSize: page, rate: rate ?? null,
});

async function dryRun(sql: Sql, kinds: readonly SearchKind[], { from, config }: Options): Promise<void> {
  for (const kind of kinds) {
    const chosen = kind === 'messages' ? await chooseConfig(sql, config ?? null) : null;
    const there = await readRebuild(sql, kind);
    const rows = await countRows(sql, kind);
    console.log(`${kind}: ${rows} rows would be read from ${from}${chosen === null ? '' : `, with ${chosen} (now ${await readIndexConfig(sql, kind)})`}${there === null ? '' : `; but ${describeRebuild(there)}`}`);
  }
}

async function takeAway(sql: Sql, kinds: readonly SearchKind[], states: readonly string[]): Promise<void> {
  for (const kind of kinds) {
    const there = await readRebuild(sql, kind);
    if (there === null || !states.includes(there.state)) console.log(`${kind}: ${there === null ? 'nothing to take away' : describeRebuild(there)}`);
    else {
      await endRebuild(sql, there);
      console.log(`${kind}: search_${kind}_${there.state === 'swapped' ? 'old' : 'next'} is dropped`);
    }
  }
}

async function verify(sql: Sql, kinds: readonly SearchKind[], { json }: Options): Promise<void> {
  for (const kind of kinds) {
    const checks = await checkIndex(sql, kind, 'live');
    console.log(json ? JSON.stringify({ kind, parts: checks }) : describeChecks(kind, checks).join('\n'));
    if (wrongRows(checks).length > 0) process.exitCode = 1;
  }
}

async function status(sql: Sql, kinds: readonly SearchKind[], { json }: Options): Promise<void> {
  for (const kind of kinds) {
    const [there, config] = [await readRebuild(sql, kind), await readIndexConfig(sql, kind)];
    console.log(json ? JSON.stringify({ kind, config, rebuild: there }) : `${kind}: ${config === null ? '' : `made with ${config}; `}${there === null ? 'no rebuild' : describeRebuild(there)}`);
  }
}
