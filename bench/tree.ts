import { setTimeout as sleep } from 'node:timers/promises';
import { openHttpClient, requestBytes } from './load/http-client.ts';
import type { Talk, TalkSpec } from './load/crowd.ts';
import { openCrowds, type Crowds } from './load/crowd-threads.ts';
import { clock } from './load/timestamps.ts';
import { startGateway } from './peers/start-gateway.ts';
import { prepareInserts } from './queries.ts';
import { bar, exact, roundedAll, type BenchResult } from './report.ts';
import { withStack, type BenchOptions, type BenchStack } from './stack.ts';
import { percentile } from './statistics.ts';

/**
 * As many sockets in one channel as one local workerd holds: the room has the first, its nodes the others. Messages at a steady rate and as fast as 32 senders can;
 * each socket checks that it has every event once and in order. One more socket is refused. Beside it, before, a Node `ws` gateway with as many.
 */
const SOCKETS = 9_000;
const USERS = 300;
const THREADS = 2;
const SENDERS = 32;
const SAMPLE_EVERY = 64;
const SETTLE_MS = 30_000;

const LOADS = {
  rate_10: { senders: SENDERS, perSecond: 10, warmMs: 1_000, measureMs: 8_000 },
  saturated: { senders: SENDERS, perSecond: null, warmMs: 1_000, measureMs: 6_000 },
} as const satisfies Record<string, TalkSpec>;
type LoadName = keyof typeof LOADS;
const LOAD_NAMES = ['rate_10', 'saturated'] as const satisfies readonly LoadName[];
type SideName = 'gateway' | 'tree';

interface Round {
  readonly side: SideName;
  readonly load: LoadName;
  readonly talk: Talk;
  readonly latencies: Float64Array;
  readonly complete: boolean;
}

interface Side {
  readonly openMs: number;
  readonly rounds: readonly Round[];
  readonly broken: number;
  /** Status of one socket too many. */
  readonly oneMore: number;
}

export function benchTree(options: BenchOptions): Promise<BenchResult> {
  return withStack({ ...options, users: USERS, transport: 'none' }, async (stack) => {
    const gateway = await runGateway(stack, options.log);
    return summarise([gateway, await runTree(stack, options.log)]);
  });
}

async function runGateway(stack: BenchStack, log: (line: string) => void): Promise<Side> {
  await prepareInserts(stack.sql);
  const gateway = await startGateway({ dataDir: stack.dataDir, postgresUrl: stack.describe().postgres_url, channelId: stack.userIds[0] });
  try {
    return await runSide(stack, 'gateway', gateway.port, '/socket', log);
  } finally {
    await gateway.stop();
  }
}

async function runTree(stack: BenchStack, log: (line: string) => void): Promise<Side> {
  const channelId = await stack.createChannel('bench-tree');
  return await runSide(stack, 'tree', stack.port, `/v1/channels/${channelId}/socket`, log);
}

async function runSide(stack: BenchStack, side: SideName, port: number, path: string, log: (line: string) => void): Promise<Side> {
  const { tokens, texts } = stack;
  const startedAt = clock();
  const speaks = side === 'tree' ? 'room' : 'gateway';
  const crowds = await openCrowds({ port, paths: [path], tokens, texts, sockets: SOCKETS, speaks, deflate: false, sampleEvery: SAMPLE_EVERY, name: side }, THREADS);
  const openMs = clock() - startedAt;
  const { lost: refusedAtFirst } = await crowds.state();
  log(`${side}: ${SOCKETS} sockets in ${Math.round(openMs)} ms`);
  try {
    const rounds: Round[] = [];
    for (const load of LOAD_NAMES) rounds.push(await turn(crowds, side, load, rounds, log));
    const oneMore = side === 'tree' ? await openOneMore(stack, path) : 0;
    const { failures, lost } = await crowds.state();
    return { openMs, rounds, broken: failures.length + lost - refusedAtFirst, oneMore };
  } finally {
    await crowds.close();
    await sleep(1_000);
  }
}

async function turn(crowds: Crowds, side: SideName, load: LoadName, before: readonly Round[], log: (line: string) => void): Promise<Round> {
  const talk = await crowds.talk(LOADS[load]);
  const target = side === 'tree' ? talk.lastSeq : talk.acknowledged + before.reduce((sum, round) => sum + round.talk.acknowledged, 0);
  const [reach] = await crowds.settle([target], SETTLE_MS);
  const latencies = await crowds.latencies();
  const { deliveries, measuredMs, busy } = talk;
  log(`${side} ${load}: ${Math.round((deliveries * 1_000) / measuredMs)} deliveries/s, p99 ${Math.round(percentile(latencies, 0.99))} ms, loader ${Math.round(busy * 100)} % busy`);
  return { side, load, talk, latencies, complete: reach?.least === target && reach.most === target };
}

/** The status that a further socket is answered with; 101 never comes to an end, so it is given up after a while. */
async function openOneMore({ port, tokens }: BenchStack, path: string): Promise<number> {
  const http = await openHttpClient(port);
  const upgrade = requestBytes('GET', path, tokens[0]).replace('\r\n\r\n', '\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n');
  const answered = http.request(upgrade).then(({ status }) => status, () => 101);
  const status = await Promise.race([answered, sleep(5_000, 101)]);
  http.close();
  return status;
}

function summarise(sides: readonly Side[]): BenchResult {
  const [, tree] = sides;
  const rounds = sides.flatMap((side) => side.rounds);
  const perSecond = (side: SideName, load: LoadName): number =>
    rounds.filter((round) => round.side === side && round.load === load).reduce((_, { talk }) => (talk.deliveries * 1_000) / talk.measuredMs, Number.NaN);
  const figures = rounds.flatMap(({ side, load, talk, latencies }) => [
    [`${side}_${load}_sends_per_s`, (talk.measured * 1_000) / talk.measuredMs] as const,
    [`${side}_${load}_deliveries_per_s`, perSecond(side, load)] as const,
    ...[0.5, 0.99].map((share) => [`${side}_${load}_p${share * 100}_ms`, percentile(latencies, share)] as const),
  ]);
  const ratio = perSecond('tree', 'saturated') / perSecond('gateway', 'saturated');
  return {
    bench: 'tree',
    figures: roundedAll({
      sockets: SOCKETS,
      gateway_open_s: (sides[0]?.openMs ?? Number.NaN) / 1_000,
      tree_open_s: (tree?.openMs ?? Number.NaN) / 1_000,
      ...Object.fromEntries(figures),
      loader_busy_most: Math.max(...rounds.map(({ talk }) => talk.busy)),
    }),
    ratios: roundedAll({ saturated_tree_to_gateway: ratio }),
    bars: [
      exact('rounds_complete', rounds.filter(({ complete }) => complete).length, rounds.length),
      exact('sockets_lost_or_out_of_order', tree?.broken ?? Number.NaN, 0),
      exact('refused', rounds.reduce((sum, { talk }) => sum + talk.refused, 0), 0),
      exact('one_socket_more_is_answered', tree?.oneMore ?? Number.NaN, 503),
      bar('saturated_tree_to_gateway', ratio, { at_least: 1 }),
    ],
  };
}
