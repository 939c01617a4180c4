import { setTimeout as sleep } from 'node:timers/promises';
import { openCrowds, type Crowds } from './load/crowd-threads.ts';
import { clock } from './load/timestamps.ts';
import { startGateway, type Gateway } from './peers/start-gateway.ts';
import { prepareInserts } from './queries.ts';
import type { BenchStack } from './stack.ts';

const SENDERS = 8;
const BEFORE_MS = 3_000;
const TALK_MS = 12_000;
const LOOK_MS = 100;
const LIMIT_MS = 60_000;
const LATE_MS = 2_000;

/** What became of as many sockets of a gateway that was killed under the same load, and started again at once. */
export interface GatewayStorm {
  readonly backMs: number;
  readonly acknowledged: number;
  /** Acknowledged messages that a socket never got: of the luckiest and the unluckiest. */
  readonly missedLeast: number;
  readonly missedMost: number;
}

/** It resumes nothing: its sockets come back with the same jitter and go on with what is said then. */
export async function stormGateway(stack: BenchStack, sockets: number, perSecond: number, log: (line: string) => void): Promise<GatewayStorm> {
  await prepareInserts(stack.sql);
  const gateway = await startGateway({ dataDir: stack.dataDir, postgresUrl: stack.describe().postgres_url, channelId: stack.userIds[0] });
  const { tokens, texts } = stack;
  const crowds = await openCrowds({ port: gateway.port, paths: ['/socket'], tokens, texts, sockets, speaks: 'gateway', deflate: false, sampleEvery: 100, name: 'storm' }, 2);
  try {
    const result = await strikeGateway(gateway, crowds, perSecond);
    log(`gateway killed: back after ${Math.round(result.backMs)} ms; of ${result.acknowledged} messages a socket missed ${result.missedLeast} to ${result.missedMost}`);
    return result;
  } finally {
    await crowds.close();
    await gateway.stop();
  }
}

async function strikeGateway(gateway: Gateway, crowds: Crowds, perSecond: number): Promise<GatewayStorm> {
  const talking = crowds.talk({ senders: SENDERS, perSecond, warmMs: 0, measureMs: TALK_MS });
  await sleep(BEFORE_MS);
  const lostAt = clock();
  await gateway.kill();
  const backMs = await untilBack(crowds, lostAt);
  const { acknowledged } = await talking;
  const [reach] = await crowds.settle([acknowledged], LATE_MS);
  return { backMs, acknowledged, missedLeast: acknowledged - (reach?.most ?? 0), missedMost: acknowledged - (reach?.least ?? 0) };
}

async function untilBack(crowds: Crowds, lostAt: number): Promise<number> {
  while (clock() < lostAt + LIMIT_MS) {
    const { open, reset } = await crowds.state();
    if (reset >= crowds.sockets && open === crowds.sockets) return clock() - lostAt;
    await sleep(LOOK_MS);
  }
  return Number.NaN;
}
