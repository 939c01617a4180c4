import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { CAC } from 'cac';
import { z } from 'zod';
import { type ChainReport, verifyChain } from '../db/audit-chain.ts';
import { connect, type Database } from '../db/client.ts';
import { findAuditHead, readAudit } from '../db/queries/audit.ts';
import { type AuditHead, auditHeadSchema, type AuditRow, NO_AUDIT_HEAD } from '../protocol/audit.ts';
import { parseFlags } from './flags.ts';
import { postgresUrl } from './postgres-url.ts';

const PAGE = 1_000;

const optionsSchema = z.object({
  fromHead: z.string('--from-head is a file').optional(),
  json: z.boolean().default(false),
});
type Options = z.infer<typeof optionsSchema>;

type Act = (db: Database, options: Options) => Promise<number>;
const ACTS = new Map<string, Act>(Object.entries({ verify, head }));

/** `colink audit <act>`: the audit log of DATABASE_URL (`docs/admin.md`). Exit code 1 where it is not what was written. */
export function registerAudit(cli: CAC): void {
  cli
    .command('audit <act>', `The audit log: ${[...ACTS.keys()].join(', ')}`)
    .option('--from-head <file>', 'verify: hold it to a head that was kept elsewhere, as `colink audit head` or GET /v1/admin/audit/head gave it')
    .option('--json', 'verify: as JSON')
    .action(async (name: string, flags: unknown) => {
      const act = ACTS.get(name);
      if (act === undefined) throw new Error(`there is no colink audit ${name}: there are ${[...ACTS.keys()].join(', ')}`);
      const options = parseFlags(optionsSchema, flags);
      const { db, close } = connect(postgresUrl(), { max: 1, applicationName: 'colink-audit' });
      process.exitCode = await act(db, options).finally(() => close(1));
    });
}

async function head(db: Database): Promise<number> {
  console.log(JSON.stringify(await findAuditHead(db)));
  return 0;
}

async function verify(db: Database, { fromHead, json }: Options): Promise<number> {
  const kept = fromHead === undefined ? NO_AUDIT_HEAD : await readHead(fromHead);
  const report = await verifyAudit(db, kept);
  console.log(json ? JSON.stringify(report) : describe(report));
  return report.fault === null ? 0 : 1;
}

/** Recomputes the chain of a database, in pages. */
export const verifyAudit = (db: Database, kept: AuditHead): Promise<ChainReport> =>
  verifyChain(pagesOf(db), { kept, sha256: (bytes) => createHash('sha256').update(bytes).digest('hex') });

async function* pagesOf(db: Database): AsyncGenerator<readonly AuditRow[]> {
  for (let after = 0; ; ) {
    const page = await readAudit(db, after, PAGE);
    if (page.length === 0) return;
    yield page;
    after = page.at(-1)?.seq ?? after;
  }
}

async function readHead(file: string): Promise<AuditHead> {
  const text = await readFile(file, 'utf8');
  try {
    return auditHeadSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new Error(`${file} holds no head: it is {"seq": …, "hash": …}`, { cause });
  }
}

const describe = ({ head: { seq, hash }, fault }: ChainReport): string =>
  fault === null ? `${seq} rows, each as it was written; head ${hash}` : `row ${fault.seq} ${fault.what}; ${seq} rows before it are as they were written`;
