import { openCrowds, type Crowds } from './load/crowd-threads.ts';
import { processTime } from './process-time.ts';
import { call, type BenchStack } from './stack.ts';
import { median, percentile } from './statistics.ts';

/**
 * What commands cost that come by the sockets of a node: 64 sockets, each with a command in flight, at a room; at a node, which sends the room many in one call; and at the
 * same node when it makes a call for each.
 */
const SOCKETS = 64;
const THREADS = 2;
const ROUNDS = 2;
const LOAD = { senders: SOCKETS, perSecond: null, warmMs: 500, measureMs: 1_500 } as const;
const MANY = 200;

const SIDES = { room: { at: 'room', most: MANY }, node: { at: 'node', most: MANY }, node_one_by_one: { at: 'node', most: 1 } } as const;
type SideName = keyof typeof SIDES;
const SIDE_NAMES = ['room', 'node', 'node_one_by_one'] as const satisfies readonly SideName[];

export interface Commanded {
  readonly side: SideName;
  readonly perSecond: number;
  readonly p99Ms: number;
  /** Workerd's processor time, in microseconds. */
  readonly cpuUs: number;
}

export async function sweepCommands(stack: BenchStack, limit: (room: number) => Promise<void>, log: (line: string) => void): Promise<readonly Commanded[]> {
  await limit(0);
  const node = await open(stack, 'node');
  await limit(SOCKETS);
  const room = await open(stack, 'room');
  try {
    const commanded: Commanded[] = [];
    for (let n = 0; n < ROUNDS; n++) {
      const sides = n % 2 === 0 ? SIDE_NAMES : SIDE_NAMES.toReversed();
      for (const side of sides) commanded.push(await turn(stack, side, SIDES[side].at === 'room' ? room : node, log));
    }
    return commanded;
  } finally {
    await call(stack.port, 'GET', `/bench/command-group/${MANY}`, '');
    await Promise.all([room.close(), node.close()]);
  }
}

async function open(stack: BenchStack, at: string): Promise<Crowds> {
  const { port, tokens, texts } = stack;
  const paths = [`/v1/channels/${await stack.createChannel(`bench-commands-${at}`)}/socket`];
  return await openCrowds({ port, tokens, texts, paths, sockets: SOCKETS, name: `commands-${at}`, speaks: 'room', deflate: false, sampleEvery: SOCKETS }, THREADS);
}

async function turn({ port, describe }: BenchStack, side: SideName, crowds: Crowds, log: (line: string) => void): Promise<Commanded> {
  await call(port, 'GET', `/bench/command-group/${SIDES[side].most}`, '');
  const { worker } = describe().pids;
  const cpuBefore = processTime(worker);
  const talk = await crowds.talk(LOAD);
  const cpuUs = ((processTime(worker) - cpuBefore) * 1_000) / talk.acknowledged;
  const commanded = { side, perSecond: (talk.measured * 1_000) / talk.measuredMs, p99Ms: percentile(await crowds.answerTimes(), 0.99), cpuUs };
  log(`commands at ${side}: ${Math.round(commanded.perSecond)} a second, results p99 ${Math.round(commanded.p99Ms)} ms, ${Math.round(cpuUs)} us of workerd each`);
  return commanded;
}

export function commandFigures(commanded: readonly Commanded[]): Record<string, number> {
  const each = SIDE_NAMES.flatMap((side) => {
    const those = commanded.filter((round) => round.side === side);
    return [
      [`commands_${side}_per_s`, median(those.map(({ perSecond }) => perSecond))] as const,
      [`commands_${side}_result_p99_ms`, median(those.map(({ p99Ms }) => p99Ms))] as const,
      [`commands_${side}_cpu_us`, median(those.map(({ cpuUs }) => cpuUs))] as const,
    ];
  });
  return Object.fromEntries(each);
}
