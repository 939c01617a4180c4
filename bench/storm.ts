import { setTimeout as sleep } from 'node:timers/promises';
import type { CrowdState } from './load/crowd.ts';
import { openCrowds, type Crowds } from './load/crowd-threads.ts';
import { clock } from './load/timestamps.ts';
import { startWriters, type Written } from './load/writers.ts';
import { countByPrefix } from './queries.ts';
import { logQueries, type LoggedQuery } from '../dev/query-log.ts';
import { bar, exact, roundedAll, type BenchResult } from './report.ts';
import { stormGateway, type GatewayStorm } from './storm-gateway.ts';
import { call, withStack, type BenchOptions, type BenchStack } from './stack.ts';

/**
 * 5,000 sockets of 500 users lose everything at once while messages are sent, and come back as the client SDK does: with full jitter, at their `(epoch, seq)`.
 * Half of them are in one channel, the others in five. Twice: every room and node is evicted and the Worker stays (as at a deploy of rooms), and workerd
 * itself is killed, with all it knew. They offer the ticket of their last `welcome`, like the SDK. Each socket then has to have read every event once and in order, which it checks itself, and Postgres to have
 * every message once. Beside it, a Node `ws` gateway with as many sockets is killed under the same load (`storm-gateway.ts`). Queries are all that Postgres was asked meanwhile but for the drain of the messages: those of the Worker are about who comes, those of
 * objects about what they read; the look-ups of those who write are among them.
 */
const SOCKETS = 5_000;
const USERS = 500;
const THREADS = 2;
/** One channel is named five times, so that it has half of the sockets. */
const SMALL_CHANNELS = 5;
/** More than the large channel needs for what its room does not take itself. */
const NODES = 3;
const WRITERS = 8;
/** Of so few users, because each is looked up every 5 s, which is no business of those that come back; one alone may not send so much. */
const WRITING_USERS = 4;
const PER_SECOND = 30;
const BEFORE_MS = 3_000;
const AFTER_MS = 3_000;
const LIMIT_MS = 60_000;
const LOOK_MS = 100;
const LOG_EVERY = 20;

const WAYS = ['evict', 'kill'] as const;
type Way = (typeof WAYS)[number];

interface Storm {
  readonly way: Way;
  /** From the loss until the last socket was open again; NaN if it took more than 60 s. */
  readonly backMs: number;
  readonly resumed: number;
  readonly attempts: number;
  readonly reset: number;
  readonly failures: readonly string[];
  readonly written: Written;
  /** Sockets of this many channels ended where the channel ends, all of them. */
  readonly complete: number;
  readonly kept: { readonly rows: number; readonly ids: number };
  readonly queries: readonly LoggedQuery[];
}

export function benchStorm(options: BenchOptions): Promise<BenchResult> {
  return withStack({ ...options, users: USERS, transport: 'none' }, async (stack) => {
    const gateway = await stormGateway(stack, SOCKETS, PER_SECOND, options.log);
    const startedAt = clock();
    const large = await stack.createChannel('bench-storm');
    const small: string[] = [];
    for (let n = 0; n < SMALL_CHANNELS; n++) small.push(await stack.createChannel(`bench-storm-${n}`));
    options.log(`${USERS} users in ${1 + SMALL_CHANNELS} channels after ${Math.round(clock() - startedAt)} ms`);
    const crowds = await openCrowds(crowdSpec(stack, large, small), THREADS);
    options.log(`${SOCKETS} sockets after ${Math.round(clock() - startedAt)} ms`);
    try {
      const storms: Storm[] = [];
      for (const way of WAYS) storms.push(await storm(stack, crowds, [large, ...small], way, options.log));
      return summarise(storms, gateway);
    } finally {
      await crowds.close();
    }
  });
}

function crowdSpec({ port, tokens, texts }: BenchStack, large: string, small: readonly string[]) {
  const paths = [...small.map(() => large), ...small].map((channelId) => `/v1/channels/${channelId}/socket`);
  return { port, paths, tokens, texts, sockets: SOCKETS, speaks: 'room', deflate: false, sampleEvery: 100, name: 'storm' } as const;
}

async function storm(stack: BenchStack, crowds: Crowds, channelIds: readonly string[], way: Way, log: (line: string) => void): Promise<Storm> {
  const before = await crowds.state();
  const idPrefix = `storm-${way}`;
  const { port, tokens, texts } = stack;
  const writers = startWriters({ port, tokens: tokens.slice(0, WRITING_USERS), texts, channelIds, perSecond: PER_SECOND, writers: WRITERS, idPrefix });
  await sleep(BEFORE_MS);
  const stopLog = await logQueries(stack.sql);
  const lostAt = clock();
  await strike(stack, channelIds, way);
  const after = await untilBack(crowds, before, lostAt, log);
  const backMs = after.open === SOCKETS ? clock() - lostAt : Number.NaN;
  log(`${way}: ${after.resumed - before.resumed} of ${SOCKETS} sockets resumed after ${Math.round(clock() - lostAt)} ms`);
  const queries = await stopLog();
  await sleep(AFTER_MS);
  const written = await writers.stop();
  const targets = [...Array.from({ length: SMALL_CHANNELS }, () => written.lastSeqs[0] ?? 0), ...written.lastSeqs.slice(1)];
  const reaches = await crowds.settle(targets, 20_000);
  const complete = reaches.filter(({ least, most }, path) => least === targets[path] && most === targets[path]).length;
  await Promise.all(channelIds.map((channelId, index) => stack.drained(channelId, written.lastSeqs[index] ?? 0)));
  const kept = await countAll(stack, channelIds, idPrefix);
  const end = await crowds.state();
  return {
    way, backMs, written, complete, kept, queries,
    resumed: after.resumed - before.resumed,
    attempts: after.lost - before.lost,
    reset: end.reset - before.reset,
    failures: end.failures,
  };
}

/** All rooms at once, with the nodes of the large one; or the process they live in, which its host starts again on the same storage. */
async function strike(stack: BenchStack, channelIds: readonly string[], way: Way): Promise<void> {
  if (way === 'kill') {
    const { worker } = stack.describe().pids;
    if (worker === undefined) throw new Error('workerd does not run');
    process.kill(worker, 'SIGKILL');
    return;
  }
  const nodes = channelIds.slice(0, 1).flatMap((channelId) => Array.from({ length: NODES }, (_, node) => `/bench/node/${channelId}/${node + 1}/evict`));
  const rooms = channelIds.map((channelId) => `/bench/room/${channelId}/evict`);
  // The object is gone before it could answer.
  await Promise.all([...nodes, ...rooms].map((path) => call(stack.port, 'GET', path, '').catch(() => {})));
}

/** Each socket has ended and come back. */
async function untilBack(crowds: Crowds, before: CrowdState, lostAt: number, log: (line: string) => void): Promise<CrowdState> {
  for (let looks = 0; ; looks++) {
    const now = await crowds.state();
    const cameBack = now.resumed + now.reset - before.resumed - before.reset;
    if (looks % LOG_EVERY === 0) log(`${Math.round(clock() - lostAt)} ms: ${now.lost - before.lost} losses and failed attempts, ${cameBack} came back`);
    if (now.failures.length > 0 || clock() > lostAt + LIMIT_MS || (cameBack >= SOCKETS && now.open === SOCKETS)) return now;
    await sleep(LOOK_MS);
  }
}

async function countAll({ sql }: BenchStack, channelIds: readonly string[], prefix: string): Promise<Storm['kept']> {
  const counts = await Promise.all(channelIds.map((channelId) => countByPrefix(sql, channelId, `${prefix}-`)));
  return { rows: counts.reduce((sum, { rows }) => sum + rows, 0), ids: counts.reduce((sum, { ids }) => sum + ids, 0) };
}

const isDrain = ({ statement }: LoggedQuery): boolean => statement.includes('FROM drain_');

/** What was asked of Postgres while the sockets came back, but for the drain of what was sent meanwhile and the bench's own questions. */
export function countQueries(queries: readonly LoggedQuery[]): { readonly drain: number; readonly worker: number; readonly objects: number } {
  const of = (application: string): LoggedQuery[] => queries.filter((query) => query.application === application && !isDrain(query));
  const own = queries.filter(({ application }) => application.startsWith('colink-') && application !== 'colink-bench');
  return { drain: queries.filter(isDrain).length, worker: of('colink-worker').length, objects: own.filter((query) => !isDrain(query)).length - of('colink-worker').length };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

function summarise(storms: readonly Storm[], gateway: GatewayStorm): BenchResult {
  const figures = storms.flatMap(({ way, backMs, resumed, attempts, written, queries }) => {
    const { drain, worker, objects } = countQueries(queries);
    return Object.entries({
      back_s: backMs / 1_000,
      resumed,
      losses_and_attempts: attempts,
      messages: sum(written.acknowledged),
      message_retries: written.retries,
      queries_of_worker: worker,
      queries_of_objects: objects,
      queries_of_drain: drain,
      queries_per_100_resumes: (100 * (worker + objects)) / resumed,
      queries_of_objects_per_100_resumes: (100 * objects) / resumed,
    }).map(([name, value]) => [`${way}_${name}`, value] as const);
  });
  const bars = storms.flatMap(({ way, backMs, resumed, reset, failures, written, complete, kept, queries }) => {
    const { worker, objects } = countQueries(queries);
    return [
      bar(`${way}_back_s`, backMs / 1_000, { at_most: 60 }),
      bar(`${way}_queries_per_100_resumes`, (100 * (worker + objects)) / resumed, { at_most: 1 }),
      exact(`${way}_began_anew`, reset, 0),
      exact(`${way}_gaps`, failures.length, 0),
      exact(`${way}_places_complete`, complete, 2 * SMALL_CHANNELS),
      exact(`${way}_kept_rows`, kept.rows, sum(written.acknowledged)),
      exact(`${way}_kept_ids`, kept.ids, sum(written.acknowledged)),
    ];
  });
  return { bench: 'storm', figures: roundedAll({
      sockets: SOCKETS,
      users: USERS,
      ...Object.fromEntries(figures),
      gateway_kill_back_s: gateway.backMs / 1_000,
      gateway_kill_messages: gateway.acknowledged,
      gateway_kill_missed_least: gateway.missedLeast,
      gateway_kill_missed_most: gateway.missedMost,
    }), ratios: {}, bars };
}
