import { setTimeout as sleep } from 'node:timers/promises';
import type { CrowdState } from './load/crowd.ts';
import { openCrowds, type Crowds } from './load/crowd-threads.ts';
import { openHttpClient, requestBytes } from './load/http-client.ts';
import { clock } from './load/timestamps.ts';
import { processTime } from './process-time.ts';
import { call, type BenchStack } from './stack.ts';
import { percentile } from './statistics.ts';

/**
 * All sockets of a room are closed at once, to come back within a window that grows with their number. Meanwhile somebody else sends messages to the same room over
 * HTTP, one after the other: what the herd costs them is the time of their answers.
 */
const SIZES = [1_000, 5_000];
const MS_A_SOCKET = [0.5, 1, 2, 4];
const THREADS = 2;
const RESTART_MS = 250;
const LIMIT_MS = 40_000;
/** No further herd is sent away after this time: on a busy machine there are fewer. */
const BUDGET_MS = 90_000;
const LOOK_MS = 20;
const PROBE_EVERY_MS = 20;
/** How long the room is left alone before each. */
const CALM_MS = 1_500;

export interface Returned {
  readonly sockets: number;
  readonly msASocket: number;
  readonly windowMs: number;
  /** Until the last one was open again; NaN: not all within 40 s. */
  readonly backMs: number;
  /** Attempts that failed and were repeated. */
  readonly retries: number;
  readonly reset: number;
  readonly failures: number;
  /** Of messages over HTTP while sockets came back. */
  readonly answerTimes: readonly number[];
  readonly refused: number;
  /** Workerd's processor time for all of it, in milliseconds. */
  readonly cpuMs: number;
}

export async function sweepReturns(stack: BenchStack, log: (line: string) => void): Promise<readonly Returned[]> {
  const [returns, startedAt]: [Returned[], number] = [[], clock()];
  for (const sockets of SIZES) {
    const channelId = await stack.createChannel(`bench-return-${sockets}`);
    const { port, tokens, texts } = stack;
    const paths = [`/v1/channels/${channelId}/socket`];
    const crowds = await openCrowds({ port, tokens, texts, sockets, paths, name: `return-${sockets}`, speaks: 'room', deflate: false, sampleEvery: 100 }, THREADS);
    try {
      for (const msASocket of MS_A_SOCKET) if (clock() < startedAt + BUDGET_MS) returns.push(await strike(stack, channelId, crowds, msASocket, log));
    } finally {
      await crowds.close();
      await sleep(CALM_MS);
    }
  }
  return returns;
}

async function strike(stack: BenchStack, channelId: string, crowds: Crowds, msASocket: number, log: (line: string) => void): Promise<Returned> {
  await sleep(CALM_MS);
  const { sockets } = crowds;
  const windowMs = RESTART_MS + sockets * msASocket;
  const before = await crowds.state();
  const { worker } = stack.describe().pids;
  const cpuBefore = processTime(worker);
  const probe = startProbe(stack, channelId, `${sockets}-${msASocket}`);
  const lostAt = clock();
  await call(stack.port, 'GET', `/bench/room/${channelId}/dismiss/${Math.round(windowMs)}`, '');
  const after = await untilBack(crowds, before, lostAt);
  const backMs = after.open === sockets ? clock() - lostAt : Number.NaN;
  const probed = await probe.stop();
  const cpuMs = processTime(worker) - cpuBefore;
  const retries = after.lost - before.lost - sockets;
  log(
    `${sockets} sockets, ${msASocket} ms each: back after ${Math.round(backMs)} ms of ${Math.round(windowMs)}, ${retries} retries; ` +
      `others waited p99 ${Math.round(percentile(probed.answerTimes, 0.99))} ms of ${probed.answerTimes.length}`,
  );
  return { sockets, msASocket, windowMs, backMs, retries, reset: after.reset - before.reset, failures: after.failures.length, cpuMs, ...probed };
}

async function untilBack(crowds: Crowds, before: CrowdState, lostAt: number): Promise<CrowdState> {
  for (;;) {
    const now = await crowds.state();
    const cameBack = now.resumed + now.reset - before.resumed - before.reset;
    if (now.failures.length > 0 || clock() > lostAt + LIMIT_MS || (cameBack >= crowds.sockets && now.open === crowds.sockets)) return now;
    await sleep(LOOK_MS);
  }
}

type Probed = Pick<Returned, 'answerTimes' | 'refused'>;

/** Sends messages until it is stopped, each after the answer to the one before, and times the answers. */
function startProbe({ port, tokens }: BenchStack, channelId: string, name: string): { stop(): Promise<Probed> } {
  const stopping = new AbortController();
  const probe = async (): Promise<Probed> => {
    const http = await openHttpClient(port);
    const answerTimes: number[] = [];
    let refused = 0;
    for (let n = 0; !stopping.signal.aborted; n++) {
      const askedAt = clock();
      const body = JSON.stringify({ client_msg_id: `probe-${name}-${n}`, text: 'still there?' });
      const { status } = await http.request(requestBytes('POST', `/v1/channels/${channelId}/messages`, tokens[0], body));
      answerTimes.push(clock() - askedAt);
      if (status >= 300) refused++;
      await sleep(PROBE_EVERY_MS);
    }
    http.close();
    return { answerTimes, refused };
  };
  const probing = probe();
  probing.catch(() => {});
  return {
    stop() {
      stopping.abort();
      return probing;
    },
  };
}

export function returnFigures(returns: readonly Returned[]): Record<string, number> {
  const each = returns.flatMap(({ sockets, msASocket, windowMs, backMs, retries, answerTimes, refused, cpuMs }) =>
    Object.entries({
      window_ms: windowMs,
      back_ms: backMs,
      retries,
      others_p99_ms: percentile(answerTimes, 0.99),
      others_most_ms: Math.max(...answerTimes),
      others_refused: refused,
      cpu_ms_a_socket: cpuMs / sockets,
    }).map(([name, value]) => [`return_${sockets}_by_${msASocket}_ms_${name}`, value] as const),
  );
  return Object.fromEntries(each);
}
