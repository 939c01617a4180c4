import { setTimeout as sleep } from 'node:timers/promises';
import type { CrowdSpec, Talk, TalkSpec } from './load/crowd.ts';
import { openCrowds, type Crowds } from './load/crowd-threads.ts';
import { clock } from './load/timestamps.ts';
import type { PaceName } from './peers/room-switches.ts';
import { startGateway } from './peers/start-gateway.ts';
import { prepareInserts } from './queries.ts';
import { bar, exact, roundedAll, type BenchResult } from './report.ts';
import { call, withStack, type BenchOptions, type BenchStack } from './stack.ts';
import { median, percentile } from './statistics.ts';

/**
 * One room of 1,000 sockets, of which some send over their own socket, into the log. Beside it a Node `ws` gateway over Redis with as many (`peers/ws-gateway.ts`),
 * and the same room without coalescing (`peers/room-switches.ts`). The sides take turns, so that what disturbs one disturbs all; a turn ends when all
 * sockets have all messages. Latency is from just before a message is written to its sender's socket until a socket has the whole frame, of every 16th socket.
 * Figures are medians of the rounds. Compression is off, as it is for Colink, but for a last round in a stack that has it on, with sockets that offer it as
 * browsers do.
 */
const SOCKETS = 1_000;
const THREADS = 2;
const USERS = 16;
const ROUNDS = 2;
const SENDERS = 32;
const SAMPLE_EVERY = 16;
const WARM_MS = 1_000;
const SETTLE_MS = 20_000;
const PASSES = 12;

type LoadName = 'saturated' | 'rate_100' | 'rate_10' | 'deflate';
const LOADS: Record<LoadName, TalkSpec> = {
  saturated: { senders: SENDERS, perSecond: null, warmMs: WARM_MS, measureMs: 3_500 },
  rate_100: { senders: SENDERS, perSecond: 100, warmMs: WARM_MS, measureMs: 5_000 },
  rate_10: { senders: SENDERS, perSecond: 10, warmMs: WARM_MS, measureMs: 7_000 },
  deflate: { senders: SENDERS, perSecond: null, warmMs: WARM_MS, measureMs: 3_500 },
};
/** At 100 messages a second a frame a message would only queue: it is compared where its senders wait for it. */
const TURNS: readonly (readonly [LoadName, readonly SideName[]])[] = [
  ['saturated', ['room', 'gateway', 'room_unpaused', 'room_frame_a_message']],
  ['rate_100', ['room', 'gateway']],
  ['rate_10', ['room', 'gateway', 'room_frame_a_message']],
];
const PACE_OF: Record<SideName, PaceName | null> = { room: 'coalesced', room_unpaused: 'unpaused', room_frame_a_message: 'frame_a_message', gateway: null };

type SideName = 'room' | 'room_unpaused' | 'room_frame_a_message' | 'gateway';

interface Round {
  readonly load: LoadName;
  readonly side: SideName;
  readonly talk: Talk;
  readonly latencies: Float64Array;
  /** Sockets had all messages in the end, and none more than that. */
  readonly complete: boolean;
}

export async function benchFanout(options: BenchOptions): Promise<BenchResult> {
  const { rounds, passMs } = await withSides(options, false, (bench) => bench.compare());
  const compressed = await withSides(options, true, (bench) => bench.compress());
  return summarise([...rounds, ...compressed], passMs);
}

function withSides<T>(options: BenchOptions, compresses: boolean, work: (bench: FanoutBench) => Promise<T>): Promise<T> {
  return withStack({ ...options, users: USERS, transport: 'none', compresses }, async (stack) => {
    await prepareInserts(stack.sql);
    const channelId = await stack.createChannel('bench-fanout');
    const gateway = await startGateway({ dataDir: stack.dataDir, postgresUrl: stack.describe().postgres_url, channelId: stack.userIds[0] });
    try {
      return await work(new FanoutBench(stack, channelId, gateway.port, options.log));
    } finally {
      await gateway.stop();
    }
  });
}

interface Place {
  readonly crowds: Crowds;
  readonly speaks: CrowdSpec['speaks'];
  /** What each socket's position is when it has everything. */
  target: number;
}

class FanoutBench {
  readonly #stack: BenchStack;
  readonly #channelId: string;
  readonly #gatewayPort: number;
  readonly #log: (line: string) => void;
  readonly #rounds: Round[] = [];

  constructor(stack: BenchStack, channelId: string, gatewayPort: number, log: (line: string) => void) {
    [this.#stack, this.#channelId, this.#gatewayPort, this.#log] = [stack, channelId, gatewayPort, log];
  }

  async compare(): Promise<{ readonly rounds: readonly Round[]; readonly passMs: number }> {
    const plain = await this.#openBoth(false);
    const passMs = await this.#measurePasses(plain.room.crowds);
    for (const side of ['room', 'gateway'] as const) await this.#turn('saturated', side, plain, 'warm-up');
    this.#rounds.length = 0;
    for (const [load, sides] of TURNS) {
      for (let round = 1; round <= ROUNDS; round++) for (const side of sides) await this.#turn(load, side, plain, `round ${round}`);
    }
    await this.#close(plain);
    return { rounds: this.#rounds, passMs };
  }

  async compress(): Promise<readonly Round[]> {
    const deflating = await this.#openBoth(true);
    for (const side of ['room', 'gateway'] as const) await this.#turn('deflate', side, deflating, 'compressed');
    await this.#close(deflating);
    return this.#rounds;
  }

  async #openBoth(deflate: boolean): Promise<Record<'room' | 'gateway', Place>> {
    const startedAt = clock();
    const { port, tokens, texts } = this.#stack;
    const common = { sockets: SOCKETS, tokens, texts, deflate, sampleEvery: SAMPLE_EVERY };
    const name = deflate ? 'd' : 'p';
    const room = await openCrowds({ ...common, port, speaks: 'room', name: `${name}r`, paths: [`/v1/channels/${this.#channelId}/socket`] }, THREADS);
    const gateway = await openCrowds({ ...common, port: this.#gatewayPort, speaks: 'gateway', name: `${name}g`, paths: ['/socket'] }, THREADS);
    this.#log(`${2 * SOCKETS} sockets ${deflate ? 'that offer compression ' : ''}in ${Math.round(clock() - startedAt)} ms`);
    return { room: { crowds: room, speaks: 'room', target: 0 }, gateway: { crowds: gateway, speaks: 'gateway', target: 0 } };
  }

  async #close(places: Record<'room' | 'gateway', Place>): Promise<void> {
    await Promise.all([places.room.crowds.close(), places.gateway.crowds.close()]);
  }

  /** From asking the room until the last socket has the frame, in milliseconds. */
  async #measurePasses(crowds: Crowds): Promise<number> {
    const times: number[] = [];
    for (let n = 0; n < PASSES; n++) {
      const startedAt = clock();
      const answer = await call(this.#stack.port, 'GET', `/bench/room/${this.#channelId}/pass/${n}`, '');
      const sent: { sent: number } = JSON.parse(answer);
      const last = await crowds.lastArrival(`pass ${n}`, 5_000);
      if (last === null || sent.sent !== SOCKETS) throw new Error(`a pass reached ${sent.sent} sockets, not ${SOCKETS}`);
      times.push(last - startedAt);
      await sleep(100);
    }
    this.#log(`a pass of ${SOCKETS} sends takes ${median(times).toFixed(1)} ms`);
    return median(times.slice(2));
  }

  async #turn(load: LoadName, side: SideName, places: Record<'room' | 'gateway', Place>, name: string): Promise<void> {
    const pace = PACE_OF[side];
    if (pace !== null) await call(this.#stack.port, 'GET', `/bench/pace/${pace}`, '');
    const place = side === 'gateway' ? places.gateway : places.room;
    const talk = await place.crowds.talk(LOADS[load]);
    place.target = place.speaks === 'room' ? talk.lastSeq : place.target + talk.acknowledged;
    const [reach] = await place.crowds.settle([place.target], SETTLE_MS);
    const latencies = await place.crowds.latencies();
    this.#rounds.push({ load, side, talk, latencies, complete: reach?.least === place.target && reach.most === place.target });
    this.#log(
      `${name} ${load} ${side}: ${Math.round(sendsPerSecond(talk))} sends/s, ${Math.round(deliveriesPerSecond(talk))} deliveries/s, ` +
        `p99 ${Math.round(percentile(latencies, 0.99))} ms, loader ${Math.round(talk.busy * 100)} % busy`,
    );
    if (pace !== null) await this.#stack.drained(this.#channelId, place.target);
  }
}

const sendsPerSecond = ({ measured, measuredMs }: Talk): number => (measured * 1_000) / measuredMs;
const deliveriesPerSecond = ({ deliveries, measuredMs }: Talk): number => (deliveries * 1_000) / measuredMs;

function summarise(rounds: readonly Round[], passMs: number): BenchResult {
  const of = (load: LoadName, side: SideName): Round[] => rounds.filter((round) => round.load === load && round.side === side);
  const rate = (load: LoadName, side: SideName): number => median(of(load, side).map(({ talk }) => deliveriesPerSecond(talk)));
  const latency = (load: LoadName, side: SideName, share: number): number => median(of(load, side).map(({ latencies }) => percentile(latencies, share)));
  const figuresOf = (load: LoadName, side: SideName): Record<string, number> => ({
    [`${load}_${side}_sends_per_s`]: median(of(load, side).map(({ talk }) => sendsPerSecond(talk))),
    [`${load}_${side}_deliveries_per_s`]: rate(load, side),
    [`${load}_${side}_p50_ms`]: latency(load, side, 0.5),
    [`${load}_${side}_p99_ms`]: latency(load, side, 0.99),
  });
  const ratios = {
    saturated_room_to_frame_a_message: rate('saturated', 'room') / rate('saturated', 'room_frame_a_message'),
    saturated_room_to_unpaused: rate('saturated', 'room') / rate('saturated', 'room_unpaused'),
    saturated_room_to_gateway: rate('saturated', 'room') / rate('saturated', 'gateway'),
    room_deflate_to_plain: rate('deflate', 'room') / rate('saturated', 'room'),
    gateway_deflate_to_plain: rate('deflate', 'gateway') / rate('saturated', 'gateway'),
  };
  const turns = [...TURNS, ['deflate', ['room', 'gateway']] as const];
  const rate100Bound = Math.max(150, 1.5 * latency('rate_100', 'gateway', 0.99));
  return {
    bench: 'fanout',
    figures: roundedAll({
      sockets: SOCKETS,
      pass_ms: passMs,
      ...Object.assign({}, ...turns.flatMap(([load, sides]) => sides.map((side) => figuresOf(load, side)))),
      loader_busy_most: Math.max(...rounds.map(({ talk }) => talk.busy)),
    }),
    ratios: roundedAll(ratios),
    bars: [
      bar('saturated_room_to_frame_a_message', ratios.saturated_room_to_frame_a_message, { at_least: 10 }),
      bar('saturated_room_to_gateway', ratios.saturated_room_to_gateway, { at_least: 4 }),
      bar('saturated_room_p99_ms', latency('saturated', 'room', 0.99), { at_most: 300 }),
      bar('rate_100_room_p99_ms', latency('rate_100', 'room', 0.99), { at_most: Math.round(rate100Bound) }),
      bar('rate_10_room_p99_ms', latency('rate_10', 'room', 0.99), { at_most: Math.round(2.5 * passMs * 10) / 10 }),
      exact('rounds_complete', rounds.filter(({ complete }) => complete).length, rounds.length),
      exact('refused', rounds.reduce((sum, { talk }) => sum + talk.refused, 0), 0),
    ],
  };
}
