import { setTimeout as sleep } from 'node:timers/promises';
import type { Talk, TalkSpec } from './load/crowd.ts';
import { openCrowds, type Crowds } from './load/crowd-threads.ts';
import { clock } from './load/timestamps.ts';
import { processTime } from './process-time.ts';
import { exact, roundedAll, type BenchResult } from './report.ts';
import { call, withStack, type BenchOptions, type BenchStack } from './stack.ts';
import { median, percentile } from './statistics.ts';
import { commandFigures, type Commanded, sweepCommands } from './sweep-commands.ts';
import { returnFigures, sweepReturns, type Returned } from './sweep-returns.ts';

/**
 * How many sockets one object takes, and within what time many come back: what the limits and the window of `durable-objects/sockets/` were chosen by. Rooms of
 * 250 to 4,000 sockets, and nodes of 1,000 to 4,000 whose rooms have none themselves, are open at the same time and take turns, the second round
 * backwards, so that what disturbs one disturbs all. Some of the sockets send; a result is timed as well as deliveries. Then all sockets of a room
 * are closed at once, to come back within windows of different length (`sweep-returns.ts`). Between them: what commands cost at a node (`sweep-commands.ts`). Figures are medians of the rounds; `noise` is by how much two rounds
 * of the same differ. `cpu` figures are workerd's processor time, which what else the machine does changes least.
 */
const SIZES = { room: [250, 500, 1_000, 2_000, 4_000], node: [1_000, 2_500, 4_000] } as const satisfies Record<string, readonly number[]>;
type Kind = keyof typeof SIZES;
/** More than any object is given. */
const ENOUGH = 9_000;
const USERS = 100;
const THREADS = 2;
const SENDERS = 32;
const SAMPLE_EVERY = 16;
const PASSES = 6;
const ROUNDS = 2;
/** A second round is begun within this time from opening the first place: on a busy machine there is one, and no noise to tell. */
const BUDGET_MS = 75_000;
const SETTLE_MS = 20_000;

const LOADS = {
  saturated: { senders: SENDERS, perSecond: null, warmMs: 700, measureMs: 1_500 },
  rate_100: { senders: SENDERS, perSecond: 100, warmMs: 500, measureMs: 1_700 },
  rate_10: { senders: SENDERS, perSecond: 10, warmMs: 300, measureMs: 3_000 },
} as const satisfies Record<string, TalkSpec>;
type LoadName = keyof typeof LOADS;
const LOAD_NAMES = ['saturated', 'rate_100', 'rate_10'] as const satisfies readonly LoadName[];

interface Place {
  readonly kind: Kind;
  readonly sockets: number;
  readonly channelId: string;
  readonly crowds: Crowds;
  readonly passes: number[];
  readonly passCpu: number[];
}

interface Round {
  readonly kind: Kind;
  readonly sockets: number;
  readonly load: LoadName;
  readonly talk: Talk;
  readonly latencies: Float64Array;
  readonly answerTimes: Float64Array;
  readonly complete: boolean;
  /** Of workerd for all of it, in milliseconds. */
  readonly cpuMs: number;
}

interface Swept {
  readonly places: readonly Place[];
  readonly rounds: readonly Round[];
}

export function benchSweep(options: BenchOptions): Promise<BenchResult> {
  return withStack({ ...options, users: USERS, transport: 'none' }, async (stack) => {
    const rooms = await sweep(stack, 'room', options.log);
    const nodes = await sweep(stack, 'node', options.log);
    const commanded = await sweepCommands(stack, (room) => limit(stack, room, ENOUGH), options.log);
    await limit(stack, ENOUGH, ENOUGH);
    return summarise([rooms, nodes], commanded, await sweepReturns(stack, options.log));
  });
}

async function limit({ port }: BenchStack, room: number, node: number): Promise<void> {
  await call(port, 'GET', `/bench/limits/${room}/${node}`, '');
}

async function sweep(stack: BenchStack, kind: Kind, log: (line: string) => void): Promise<Swept> {
  await limit(stack, kind === 'room' ? ENOUGH : 0, ENOUGH);
  const [places, startedAt]: [Place[], number] = [[], clock()];
  try {
    for (const sockets of SIZES[kind]) places.push(await open(stack, kind, sockets, log));
    const rounds: Round[] = [];
    for (let n = 0; n < ROUNDS && (n === 0 || clock() < startedAt + BUDGET_MS); n++) {
      for (const place of inTurn(places, n)) await measurePasses(stack, place, n, log);
      for (const load of LOAD_NAMES) for (const place of inTurn(places, n)) rounds.push(await turn(stack, place, load, log));
    }
    return { places, rounds };
  } finally {
    await Promise.all(places.map(({ crowds }) => crowds.close()));
    await sleep(1_500);
  }
}

const inTurn = <T>(places: readonly T[], round: number): readonly T[] => (round % 2 === 0 ? places : places.toReversed());

async function open(stack: BenchStack, kind: Kind, sockets: number, log: (line: string) => void): Promise<Place> {
  const { port, tokens, texts } = stack;
  const name = `${kind}-${sockets}`;
  const [channelId, startedAt] = [await stack.createChannel(`bench-${name}`), clock()];
  const crowds = await openCrowds({ port, tokens, texts, sockets, name, paths: [`/v1/channels/${channelId}/socket`], speaks: 'room', deflate: false, sampleEvery: SAMPLE_EVERY }, THREADS);
  log(`${name}: open in ${Math.round(clock() - startedAt)} ms`);
  return { kind, sockets, channelId, crowds, passes: [], passCpu: [] };
}

/** From asking the object until the last socket has the frame, in milliseconds. */
async function measurePasses({ port, describe }: BenchStack, { kind, sockets, channelId, crowds, passes, passCpu }: Place, round: number, log: (line: string) => void): Promise<void> {
  const path = kind === 'room' ? `/bench/room/${channelId}/pass` : `/bench/node/${channelId}/1/pass`;
  const times: number[] = [];
  const { worker } = describe().pids;
  const cpuBefore = processTime(worker);
  for (let n = 0; n < PASSES; n++) {
    const startedAt = clock();
    const { sent }: { sent: number } = JSON.parse(await call(port, 'GET', `${path}/${round}_${n}`, ''));
    const last = await crowds.lastArrival(`pass ${round}_${n}`, 5_000);
    if (last === null || sent !== sockets) throw new Error(`a pass reached ${sent} sockets, not ${sockets}`);
    times.push(last - startedAt);
    await sleep(50);
  }
  passes.push(median(times.slice(1)));
  passCpu.push((processTime(worker) - cpuBefore) / PASSES);
  log(`${kind}-${sockets}: a pass takes ${median(times).toFixed(1)} ms`);
}

async function turn(stack: BenchStack, { kind, sockets, channelId, crowds }: Place, load: LoadName, log: (line: string) => void): Promise<Round> {
  const { worker } = stack.describe().pids;
  const cpuBefore = processTime(worker);
  const talk = await crowds.talk(LOADS[load]);
  const [reach] = await crowds.settle([talk.lastSeq], SETTLE_MS);
  const [latencies, answerTimes] = [await crowds.latencies(), await crowds.answerTimes()];
  await stack.drained(channelId, talk.lastSeq);
  const cpuMs = processTime(worker) - cpuBefore;
  log(
    `${kind}-${sockets} ${load}: ${Math.round(deliveriesPerSecond(talk))} deliveries/s, p99 ${Math.round(percentile(latencies, 0.99))} ms, ` +
      `results p99 ${Math.round(percentile(answerTimes, 0.99))} ms, loader ${Math.round(talk.busy * 100)} % busy`,
  );
  return { kind, sockets, load, talk, latencies, answerTimes, cpuMs, complete: reach?.least === talk.lastSeq && reach.most === talk.lastSeq };
}

const sendsPerSecond = ({ measured, measuredMs }: Talk): number => (measured * 1_000) / measuredMs;
const deliveriesPerSecond = ({ deliveries, measuredMs }: Talk): number => (deliveries * 1_000) / measuredMs;

/** What is read of a round, by name. */
const READINGS: Record<string, (round: Round) => number> = {
  sends_per_s: ({ talk }) => sendsPerSecond(talk),
  deliveries_per_s: ({ talk }) => deliveriesPerSecond(talk),
  p50_ms: ({ latencies }) => percentile(latencies, 0.5),
  p99_ms: ({ latencies }) => percentile(latencies, 0.99),
  result_p50_ms: ({ answerTimes }) => percentile(answerTimes, 0.5),
  result_p99_ms: ({ answerTimes }) => percentile(answerTimes, 0.99),
  cpu_us_a_delivery: ({ cpuMs, talk, sockets }) => (cpuMs * 1_000) / (talk.acknowledged * sockets),
};

type Figures = Record<string, readonly number[]>;

/** Of each round one. */
function figuresOf({ places, rounds }: Swept): Figures {
  const passes = places.flatMap(({ kind, sockets, passes, passCpu }) => [
    [`${kind}_${sockets}_pass_ms`, passes] as const,
    [`${kind}_${sockets}_pass_cpu_ms`, passCpu] as const,
  ]);
  const read = places.flatMap(({ kind, sockets }) =>
    LOAD_NAMES.flatMap((load) => {
      const those = rounds.filter((round) => round.kind === kind && round.sockets === sockets && round.load === load);
      return Object.entries(READINGS).map(([name, reading]) => [`${kind}_${sockets}_${load}_${name}`, those.map(reading)] as const);
    }),
  );
  return Object.fromEntries([...passes, ...read]);
}

/** By how much rounds of the same differ, as a share of the smaller: of a middle figure, and of the one that differs most in a hundred; NaN where there was one round. */
function noise(figures: Figures, ending: string): number[] {
  const spread = Object.entries(figures).filter(([name, values]) => name.endsWith(ending) && values.length > 1).map(([, values]) => Math.max(...values) / Math.min(...values) - 1);
  return [0.5, 0.99].map((share) => percentile(spread, share));
}

function summarise(swept: readonly Swept[], commanded: readonly Commanded[], returns: readonly Returned[]): BenchResult {
  const figures: Figures = Object.assign({}, ...swept.map(figuresOf));
  const rounds = swept.flatMap((each) => each.rounds);
  const of = (name: string): number => median(figures[name] ?? []);
  const one = (side: string): number => commandFigures(commanded)[`commands_${side}_per_s`] ?? Number.NaN;
  const noises = ['_pass_ms', '_deliveries_per_s', '_p99_ms', '_cpu_us_a_delivery'].flatMap((ending) => noise(figures, ending).map((value, index) => [`noise${ending}_${['median', 'most'][index]}`, value] as const));
  return {
    bench: 'sweep',
    figures: roundedAll({
      ...Object.fromEntries(Object.keys(figures).map((name) => [name, of(name)])),
      ...commandFigures(commanded),
      ...returnFigures(returns),
      loader_busy_most: Math.max(...rounds.map(({ talk }) => talk.busy)),
    }),
    ratios: roundedAll({ commands_node_to_one_by_one: one('node') / one('node_one_by_one'), ...Object.fromEntries(noises) }),
    bars: [
      exact('rounds_complete', rounds.filter(({ complete }) => complete).length, rounds.length),
      exact('refused', rounds.reduce((sum, { talk }) => sum + talk.refused, 0), 0),
      exact('sockets_that_began_anew_or_found_a_gap', returns.reduce((sum, { reset, failures }) => sum + reset + failures, 0), 0),
    ],
  };
}
