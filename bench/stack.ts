import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readIrcMessages } from '../cli/import/irc-file.ts';
import { connect, type Connection, type Sql } from '../db/client.ts';
import type { DevFile } from '../dev/dev-file.ts';
import { detect, isPresent } from '../dev/components.ts';
import { remembersStatements } from '../dev/pooler.ts';
import { startStack, type Stack } from '../dev/stack.ts';
import { createAccount, type Account } from './accounts.ts';
import { openHttpClient, requestBytes } from './load/http-client.ts';
import { drainedSeq, insertMembers } from './queries.ts';

export interface BenchOptions {
  /** Takes what a person likes to know meanwhile. */
  readonly log: (line: string) => void;
  /** A log of real messages, as `colink import irc` takes it. The sample has 2,000: where what is said again costs less, a longer one tells more. */
  readonly texts: string;
}

export interface BenchStackOptions extends BenchOptions {
  readonly users: number;
  /** `none`: neither relay nor consumers run. `best`: Kafka where this machine has it, else the embedded transport. */
  readonly transport: 'none' | 'best';
  /** Default `peers/app.worker.ts`. */
  readonly entry?: string;
  /** Default false, as the configuration has it: whether sockets that offer compression get it. */
  readonly compresses?: boolean;
  /** Default false: whether the Worker's connections to Postgres go by a pool, as Hyperdrive's do, where this machine has one. */
  readonly pooler?: boolean;
}

/** A stack of a bench's own: the real Worker with the bench's routes beside it, real Postgres, real events. */
export interface BenchStack {
  /** Of the Worker, on loopback. */
  readonly port: number;
  readonly sql: Sql;
  readonly dataDir: string;
  /** What runs, at this moment. */
  describe(): DevFile;
  readonly transport: 'none' | 'kafka' | 'embedded';
  readonly pool: Pool;
  /** One a user, of every scope. */
  readonly tokens: readonly [string, ...string[]];
  readonly userIds: readonly [string, ...string[]];
  /** What to say: real messages. */
  readonly texts: readonly string[];
  /** A public channel of which every user is a member. */
  createChannel(name: string): Promise<string>;
  /** Resolves when Postgres has the channel up to `seq`; rejects after 30 s. */
  drained(channelId: string, seq: number): Promise<void>;
}

const ENTRY = join(import.meta.dirname, 'peers', 'app.worker.ts');
/** The log that `texts` is by default. */
export const SAMPLE = join(import.meta.dirname, '..', 'tests', 'data', 'ubuntu-irc-sample.tsv.gz');
const DRAIN_MS = 30_000;
const AT_ONCE = 8;
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** Starts a stack in a directory of its own, and ends and removes it whatever `work` does, and at Ctrl-C. */
export async function withStack<T>(options: BenchStackOptions, work: (stack: BenchStack) => Promise<T>): Promise<T> {
  const dataDir = await mkdtemp(join(tmpdir(), 'colink-bench-'));
  const interrupt = interruption();
  try {
    options.log('starting the stack');
    const stack = await startStack({ dataDir, entry: options.entry ?? ENTRY, redis: false, clamd: false, linkPreviews: false, pooler: options.pooler ?? false, signal: interrupt.signal, ...eventParts(options), ...flags(options) });
    return await withConnection(stack, async (connection) => await Promise.race([work(await furnish(stack, connection, options)), interrupt.reached])).finally(() => stack.stop());
  } finally {
    interrupt.release();
    await rm(dataDir, { recursive: true, force: true });
  }
}

const eventParts = ({ transport }: BenchStackOptions) =>
  transport === 'best' ? ({ consumers: true, transport: 'auto' } as const) : ({ consumers: false, transport: 'embedded' } as const);

const flags = ({ compresses }: BenchStackOptions) => (compresses ? { compatibilityFlags: ['nodejs_compat'] } : {});

async function withConnection<T>(stack: Stack, work: (connection: Connection) => Promise<T>): Promise<T> {
  const connection = connect(stack.describe().postgres_url, { max: 8, applicationName: 'colink-bench' });
  return await work(connection).finally(() => connection.close());
}

/** Ctrl-C as a promise, so that what was started is ended. */
export function interruption(): { readonly signal: AbortSignal; readonly reached: Promise<never>; release(): void } {
  const controller = new AbortController();
  const reached = Promise.withResolvers<never>();
  reached.promise.catch(() => {});
  const interrupt = (): void => {
    controller.abort();
    reached.reject(new Error('interrupted'));
  };
  for (const signal of SIGNALS) process.once(signal, interrupt);
  return { signal: controller.signal, reached: reached.promise, release: () => SIGNALS.forEach((signal) => process.off(signal, interrupt)) };
}

/** What the Worker's connections go by: a pool that lends them by session, or one that lends them by transaction and keeps statements, as Hyperdrive does. */
export type Pool = 'none' | 'by_session' | 'by_transaction';

async function poolOf(stack: Stack): Promise<Pool> {
  const { pgbouncer } = detect();
  if (!('pooler' in stack.describe().pids) || !isPresent(pgbouncer)) return 'none';
  return (await remembersStatements(pgbouncer.path)) ? 'by_transaction' : 'by_session';
}

async function furnish(stack: Stack, connection: Connection, { users, transport, texts: log }: BenchStackOptions): Promise<BenchStack> {
  const { url, event_transport } = stack.describe();
  const port = Number(new URL(url).port);
  const first = await createAccount(connection, 'bench0');
  const others: Account[] = [];
  await atOnce(users - 1, async (n) => void (others[n] = await createAccount(connection, `bench${n + 1}`)));
  const texts: string[] = [];
  for await (const { text } of readIrcMessages(log, 0, 2_000)) texts.push(text);
  return {
    port,
    texts,
    sql: connection.sql,
    dataDir: stack.dataDir,
    describe: () => stack.describe(),
    transport: transport === 'none' ? 'none' : event_transport,
    pool: await poolOf(stack),
    tokens: [first.token, ...others.map(({ token }) => token)],
    userIds: [first.userId, ...others.map(({ userId }) => userId)],
    createChannel: (name) => createChannel(port, connection.sql, name, first, others),
    drained: (channelId, seq) => drained(connection.sql, channelId, seq),
  };
}

async function createChannel(port: number, sql: Sql, name: string, owner: Account, others: readonly Account[]): Promise<string> {
  const channel: { id: string } = JSON.parse(await call(port, 'POST', '/v1/channels', owner.token, { name }));
  if (others.length > 0) await insertMembers(sql, channel.id, others.map(({ userId }) => userId));
  return channel.id;
}

/** `work` for 0 to `count` - 1, a few at once. */
async function atOnce(count: number, work: (n: number) => Promise<void>): Promise<void> {
  const numbers = Array.from({ length: count }, (_, n) => n).values();
  const next = async (): Promise<void> => {
    for (const n of numbers) await work(n);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, next));
}

/** The body of an answer; rejects where its status is no success. */
export async function call(port: number, method: string, path: string, token: string, body?: unknown): Promise<string> {
  const http = await openHttpClient(port);
  const answer = await http.request(requestBytes(method, path, token, body === undefined ? undefined : JSON.stringify(body)));
  http.close();
  if (answer.status >= 300) throw new Error(`${method} ${path} answers ${answer.status}: ${answer.body.toString()}`);
  return answer.body.toString();
}

async function drained(sql: Sql, channelId: string, seq: number): Promise<void> {
  const deadline = performance.now() + DRAIN_MS;
  while ((await drainedSeq(sql, channelId)) < seq) {
    if (performance.now() > deadline) throw new Error(`the drain has not come to ${seq} within ${DRAIN_MS / 1_000} s`);
    await sleep(50);
  }
}
