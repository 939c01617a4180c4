import { setTimeout as sleep } from 'node:timers/promises';
import { worstDrainLag, type DrainSample } from './drain-lag.ts';
import { perSecond, type LoadResult, type LoadSpec } from './load/run.ts';
import { loadInThread } from './load/thread.ts';
import { countByPrefix, drainedSeq, prepareInserts } from './queries.ts';
import { bar, exact, roundedAll, type BenchResult } from './report.ts';
import { withStack, type BenchOptions, type BenchStack } from './stack.ts';
import { median, percentile } from './statistics.ts';

/**
 * Sends into one room by 64 clients with one message in flight each: over HTTP, over sockets, and beside them, by the same loader with
 * the same bodies, routes that only parse and routes that insert each message by itself (`peers/app.worker.ts`). The rounds take
 * turns, so that what disturbs one disturbs all; a round begins when the one before is drained. Figures are medians of the rounds.
 *
 * The bars compare with a no-op that is a route like any other, and with an insert in a transaction. Beside them stand the strictest
 * comparisons: a handler before the app, without its middleware, and an insert that is one statement.
 */
const CLIENTS = 64;
const USERS = 16;
const ROUNDS = 5;
const SECONDS = 2;
const WARM_UP_SECONDS = 2;
const SAMPLE_MS = 50;
const CATCH_UP_MS = 30_000;

const SIDES = ['noop', 'send_http', 'insert_transaction', 'noop_handler', 'send_socket', 'insert_statement', 'insert_in_order'] as const;
type Side = (typeof SIDES)[number];

interface Round {
  readonly side: Side;
  readonly result: LoadResult;
  /** Only for sends. Seconds. */
  readonly drainLag: number;
  readonly catchUp: number;
}

interface Rooms {
  readonly send_http: string;
  readonly send_socket: string;
  /** Never become rooms: rows are inserted under their ids. */
  readonly insert_transaction: string;
  readonly insert_statement: string;
  readonly insert_in_order: string;
}

export function benchSend(options: BenchOptions): Promise<BenchResult> {
  return withStack({ ...options, users: USERS, transport: 'none' }, async (stack) => {
    await prepareInserts(stack.sql);
    const rooms: Rooms = {
      send_http: await stack.createChannel('bench-http'),
      send_socket: await stack.createChannel('bench-socket'),
      insert_transaction: await stack.createChannel('bench-insert-transaction'),
      insert_statement: await stack.createChannel('bench-insert-statement'),
      insert_in_order: await stack.createChannel('bench-insert-in-order'),
    };
    for (const side of SIDES) await runRound(stack, rooms, side, 'warm', WARM_UP_SECONDS);
    const rounds: Round[] = [];
    for (let n = 0; n < ROUNDS; n++) {
      for (const side of SIDES) {
        const round = await runRound(stack, rooms, side, `round${n}`, SECONDS);
        options.log(`round ${n + 1} ${side}: ${Math.round(perSecond(round.result))}/s`);
        rounds.push(round);
      }
    }
    return summarise(rounds, await countKept(stack, rooms, rounds));
  });
}

async function runRound(stack: BenchStack, rooms: Rooms, side: Side, name: string, seconds: number): Promise<Round> {
  const spec = specOf(stack, rooms, side, name, seconds);
  const isSend = side === 'send_http' || side === 'send_socket';
  const samples: DrainSample[] = [];
  const stop = new AbortController();
  const sampling = isSend ? sampleDrain(stack, rooms[side], samples, stop.signal) : Promise.resolve();
  const result = await loadInThread(spec).finally(() => stop.abort());
  await sampling;
  if (result.seqs.length === 0) throw new Error(`${side}: nothing was acknowledged (${JSON.stringify(result.refused)})`);
  const catchUp = isSend ? await awaitDrain(stack, rooms[side], result, samples) : 0;
  return { side, result, drainLag: worstDrainLag(samples, result) / 1_000, catchUp: catchUp / 1_000 };
}

function specOf(stack: BenchStack, rooms: Rooms, side: Side, name: string, seconds: number): LoadSpec {
  const channelId = side === 'noop' || side === 'noop_handler' ? '' : rooms[side];
  const paths: Record<Side, string> = {
    noop: '/bench/noop',
    noop_handler: '/bench/noop-handler',
    insert_transaction: `/bench/insert-transaction/${channelId}`,
    insert_statement: `/bench/insert-statement/${channelId}`,
    insert_in_order: `/bench/insert-in-order/${channelId}`,
    send_http: `/v1/channels/${channelId}/messages`,
    send_socket: '',
  };
  const over = side === 'send_socket' ? 'socket' : 'http';
  const { port, tokens, texts } = stack;
  return { over, port, tokens, texts, channelId, seconds, paths: [paths[side]], clients: CLIENTS, idPrefix: name };
}

async function sampleDrain({ sql }: BenchStack, channelId: string, samples: DrainSample[], signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const drained = await drainedSeq(sql, channelId);
    samples.push({ at: performance.timeOrigin + performance.now(), drainedSeq: drained });
    await sleep(SAMPLE_MS);
  }
}

/** Milliseconds from the last acknowledgement until Postgres has everything; samples on. */
async function awaitDrain(stack: BenchStack, channelId: string, { seqs, lastAckAt }: LoadResult, samples: DrainSample[]): Promise<number> {
  const last = seqs.reduce((most, seq) => Math.max(most, seq), 0);
  for (;;) {
    const drained = await drainedSeq(stack.sql, channelId);
    const at = performance.timeOrigin + performance.now();
    samples.push({ at, drainedSeq: drained });
    if (drained >= last) return at - lastAckAt;
    if (at - lastAckAt > CATCH_UP_MS) throw new Error(`the drain is at ${drained} of ${last} after ${CATCH_UP_MS / 1_000} s`);
    await sleep(SAMPLE_MS);
  }
}

interface Kept {
  readonly acknowledged: number;
  readonly rows: number;
  readonly ids: number;
}

/** What Postgres holds of the measured sends, against what was acknowledged. */
async function countKept({ sql }: BenchStack, rooms: Rooms, rounds: readonly Round[]): Promise<Kept> {
  const counts = await Promise.all([countByPrefix(sql, rooms.send_http, 'round'), countByPrefix(sql, rooms.send_socket, 'round')]);
  const acknowledged = rounds.filter(({ side }) => side.startsWith('send')).reduce((sum, { result }) => sum + result.seqs.length, 0);
  const sum = (key: 'rows' | 'ids'): number => counts.reduce((total, count) => total + count[key], 0);
  return { acknowledged, rows: sum('rows'), ids: sum('ids') };
}

function summarise(rounds: readonly Round[], kept: Kept): BenchResult {
  const of = (side: Side): Round[] => rounds.filter((round) => round.side === side);
  const rate = (side: Side): number => median(of(side).map(({ result }) => perSecond(result)));
  const latency = (side: Side, share: number): number => median(of(side).map(({ result }) => percentile(result.latencyMs, share)));
  const worst = (side: Side, key: 'drainLag' | 'catchUp'): number => Math.max(...of(side).map((round) => round[key]));
  const refused = rounds.reduce((sum, { result }) => sum + Object.values(result.refused).reduce((a, b) => a + b, 0), 0);
  const ratios = {
    send_http_to_noop: rate('send_http') / rate('noop'),
    send_http_to_noop_handler: rate('send_http') / rate('noop_handler'),
    send_http_to_insert_transaction: rate('send_http') / rate('insert_transaction'),
    send_http_to_insert_statement: rate('send_http') / rate('insert_statement'),
    send_http_to_insert_in_order: rate('send_http') / rate('insert_in_order'),
    send_socket_to_send_http: rate('send_socket') / rate('send_http'),
  };
  const drainLag = Math.max(worst('send_http', 'drainLag'), worst('send_socket', 'drainLag'));
  const latencies = (['send_http', 'send_socket'] as const).flatMap((side) => [0.5, 0.95, 0.99].map((share) => [`${side}_p${share * 100}_ms`, latency(side, share)] as const));
  return {
    bench: 'send',
    figures: roundedAll({
      ...Object.fromEntries(SIDES.map((side) => [`${side}_per_s`, rate(side)])),
      ...Object.fromEntries(latencies),
      send_http_drain_lag_s: worst('send_http', 'drainLag'),
      send_socket_drain_lag_s: worst('send_socket', 'drainLag'),
      send_http_catch_up_s: worst('send_http', 'catchUp'),
      send_socket_catch_up_s: worst('send_socket', 'catchUp'),
      acknowledged: kept.acknowledged,
      refused,
    }),
    ratios: roundedAll(ratios),
    bars: [
      bar('send_http_to_noop', ratios.send_http_to_noop, { at_least: 0.35 }),
      bar('send_http_to_insert_transaction', ratios.send_http_to_insert_transaction, { at_least: 15 }),
      bar('send_socket_to_send_http', ratios.send_socket_to_send_http, { at_least: 1 }),
      bar('drain_lag_s', drainLag, { at_most: 2 }),
      exact('kept_rows', kept.rows, kept.acknowledged),
      exact('kept_ids', kept.ids, kept.acknowledged),
    ],
  };
}
