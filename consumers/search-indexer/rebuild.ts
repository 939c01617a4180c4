import type { Sql } from '../../db/client.ts';
import { errorState } from '../../db/errors.ts';
import {
  beginRebuild, countChanges, endFilling, fillPage, type Filled, isTextConfig, prepareNext, readIndexConfig, readRebuild, type Rebuild, settleChanges, swapIndex,
  touchRebuild,
} from '../../db/queries/search-rebuild.ts';
import type { SearchKind } from '../../db/schema/search-tables.ts';
import { logFiller } from './rebuild-from-log.ts';
import { checkIndex, wrongRows } from './verify.ts';

export interface RebuildOptions {
  readonly kind: SearchKind;
  readonly source: Rebuild['source'];
  /** The text search configuration of the new table; null: as the present one. */
  readonly config: string | null;
  /** Goes on with a rebuild that was cut off. */
  readonly resume: boolean;
  /** Rows of the source a transaction. */
  readonly pageSize: number;
  /** Rows of the source a second; null: as fast as it goes. */
  readonly rate: number | null;
}

export interface RebuildPorts {
  readonly sql: Sql;
  /** Milliseconds. */
  readonly now: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  readonly report: (line: string) => void;
}

/** What a person has to decide, or to repair: the index that is live is as it was. */
export class RebuildRefused extends Error {
  override readonly name = 'RebuildRefused';
}

const SETTLE = 500;
/** The rest is settled by the swap. */
const FEW_CHANGES = 200;
const SWAP_TRIES = 200;
const SWAP_PAUSE_MS = 250;
const LOCK_NOT_AVAILABLE = '55P03';

/**
 * Makes an index anew beside the live one and swaps them, while messages are indexed and searched. Each step is one transaction, so it can be cut off
 * anywhere: what was done is there, and `resume` goes on. The old table is kept until it is dropped by hand.
 * @throws RebuildRefused where there is something in the way, or the new table is not what it should be.
 */
export async function rebuildIndex(ports: RebuildPorts, options: RebuildOptions): Promise<void> {
  const { sql, report } = ports;
  const { kind } = options;
  const rebuild = await open(ports, options);
  if (rebuild === null) return;
  if (rebuild.state === 'filling') await fill(ports, options, rebuild);
  await endFilling(sql, kind);
  await prepareNext(sql, kind);
  await settleAll(ports, kind);
  await prove(ports, kind);
  await swap(ports, kind);
  report(`${kind}: the new table is live; the old one is search_${kind}_old until --drop-old`);
}

/** Null: what is to be resumed is done. */
async function open({ sql, report }: RebuildPorts, options: RebuildOptions): Promise<Rebuild | null> {
  const { kind, source, resume } = options;
  const there = await readRebuild(sql, kind);
  if (there?.state === 'swapped' && resume) {
    report(`${kind}: was swapped in before`);
    return null;
  }
  if (there?.state === 'swapped') throw new RebuildRefused(`${kind}: the table that the last rebuild replaced is still there: --drop-old first`);
  if (there !== null && !resume) throw new RebuildRefused(`${kind}: a rebuild was cut off (${there.filled} rows so far): --resume goes on with it, --abort takes it away`);
  if (there !== null && !(await touchRebuild(sql, kind))) throw new RebuildRefused(`${kind}: the rebuild has lain still for too long to be resumed: --abort, and begin again`);
  if (there === null) {
    const config = kind === 'messages' ? await chooseConfig(sql, options.config) : null;
    await beginRebuild(sql, { kind, source, config });
    report(`${kind}: filling search_${kind}_next from ${source}${config === null ? '' : ` with ${config}`}`);
  }
  const rebuild = await readRebuild(sql, kind);
  if (rebuild === null) throw new RebuildRefused(`${kind}: somebody took the rebuild away`);
  return rebuild;
}

export async function chooseConfig(sql: Sql, asked: string | null): Promise<string> {
  const config = asked ?? (await readIndexConfig(sql, 'messages')) ?? 'simple';
  if (!(await isTextConfig(sql, config))) throw new RebuildRefused(`Postgres has no text search configuration ${config}`);
  return config;
}

async function fill(ports: RebuildPorts, { kind, pageSize, rate }: RebuildOptions, { source, cursor }: Rebuild): Promise<void> {
  const next: () => Promise<Filled> = source === 'log' ? logFiller(ports.sql, kind, cursor, pageSize) : () => fillPage(ports.sql, kind, pageSize);
  let rows = 0;
  const startedAt = ports.now();
  for (let more = true; more; ) {
    const page = await next();
    rows += page.rows;
    more = page.more;
    const ahead = rate === null ? 0 : (rows * 1_000) / rate - (ports.now() - startedAt);
    if (ahead > 0 && more) await ports.sleep(ahead);
  }
  ports.report(`${kind}: read ${rows} rows of ${source}`);
}

async function settleAll({ sql }: RebuildPorts, kind: SearchKind): Promise<void> {
  while ((await countChanges(sql, kind)) > FEW_CHANGES) await settleChanges(sql, kind, SETTLE);
}

async function prove({ sql, report }: RebuildPorts, kind: SearchKind): Promise<void> {
  const parts = await checkIndex(sql, kind, 'next');
  const wrong = wrongRows(parts);
  report(`${kind}: ${parts.reduce((sum, { indexed }) => sum + indexed, 0)} rows in the new table, ${wrong.length === 0 ? 'as they should be' : 'some wrong'}`);
  if (wrong.length > 0) throw new RebuildRefused(`${kind}: the new table is not what it should be, and was not swapped in: ${wrong.join('; ')}`);
}

/** Whoever holds the tables is waited for a moment at a time, so that searches behind the swap never wait for long. */
async function swap(ports: RebuildPorts, kind: SearchKind): Promise<void> {
  for (let tries = 1; tries <= SWAP_TRIES; tries += 1) {
    const outcome = await swapIndex(ports.sql, kind).catch((error: unknown) => {
      if (errorState(error) === LOCK_NOT_AVAILABLE) return 'locked' as const;
      throw error;
    });
    if (outcome === 'swapped') return;
    if (outcome === 'gone') throw new RebuildRefused(`${kind}: somebody else has swapped it, or taken it away`);
    if (outcome === 'busy') await settleAll(ports, kind);
    else await ports.sleep(SWAP_PAUSE_MS);
  }
  throw new RebuildRefused(`${kind}: the tables were never free for the swap: try --resume when less is going on`);
}
