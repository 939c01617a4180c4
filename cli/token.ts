import { createHash, randomBytes } from 'node:crypto';
import { userInfo } from 'node:os';
import type { CAC } from 'cac';
import { uuidv7 } from 'uuidv7';
import { z } from 'zod';
import { connect, type Database } from '../db/client.ts';
import { actAs } from '../db/queries/audit.ts';
import { insertCredential } from '../db/queries/credentials.ts';
import { recordCredential } from '../db/queries/own-credentials.ts';
import { findActiveUserId } from '../db/queries/tokens.ts';
import { scopeSchema, TOKEN_SCOPES } from '../protocol/scopes.ts';
import { parseFlags } from './flags.ts';
import { postgresUrl } from './postgres-url.ts';

const scopesSchema = z
  .string()
  .transform((list) => list.split(',').map((scope) => scope.trim()))
  .pipe(z.array(z.enum(scopeSchema.options, { error: ({ input }) => `there is no scope ${String(input)}: there are ${scopeSchema.options.join(', ')}` })));

const optionsSchema = z.object({
  user: z.union([z.string(), z.number()], '--user <handle> is missing').transform(String),
  scopes: scopesSchema.default([...TOKEN_SCOPES]),
  days: z.number('--days is a number').positive().max(3650).default(30),
  name: z.union([z.string(), z.number()]).transform(String).default('colink token'),
});
type TokenOptions = z.infer<typeof optionsSchema>;

/** `colink token --user alice`: prints a personal token and nothing else. It is shown this once; Postgres has its hash. */
export function registerToken(cli: CAC): void {
  cli
    .command('token', 'Print a personal token, for programs')
    .option('--user <handle>', 'Whom it stands for')
    .option('--scopes <list>', `Comma-separated: ${scopeSchema.options.join(', ')}`, { default: TOKEN_SCOPES.join(',') })
    .option('--days <n>', 'How long it is valid', { default: 30 })
    .option('--name <name>', 'What it is for', { default: 'colink token' })
    .action(async (flags: unknown) => {
      console.log(await issueToken(parseFlags(optionsSchema, flags)));
    });
}

async function issueToken(options: TokenOptions): Promise<string> {
  const { db, close } = connect(postgresUrl(), { max: 1, applicationName: 'colink-token' });
  return insertToken(db, options, new Date()).finally(() => close());
}

/** A new token of an active user. It is shown this once: Postgres has its hash. */
export async function insertToken(db: Database, { user, scopes, days, name }: TokenOptions, now: Date): Promise<string> {
  const user_id = await findActiveUserId(db, user.toLowerCase());
  if (user_id === null) throw new Error(`there is no active user ${user}`);
  const token = `colink_pat_${randomBytes(32).toString('base64url')}`;
  const secret_hash = createHash('sha256').update(token).digest();
  const expires_at = new Date(now.getTime() + days * 86_400_000);
  await db.transaction(async (tx) => {
    await actAs(tx, { actorName: `cli:${userInfo().username}` });
    const credential = { id: uuidv7(), secret_hash, kind: 'personal', user_id, name, scopes, expires_at } as const;
    await insertCredential(tx, credential);
    await recordCredential(tx, credential);
  });
  return token;
}
