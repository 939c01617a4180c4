import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { bill, type Bill, type Usage } from './billing.ts';
import { openCrowds, type Crowds } from './load/crowd-threads.ts';
import { clock } from './load/timestamps.ts';
import { startWriters } from './load/writers.ts';
import type { Operations } from './peers/operations.ts';
import { startGateway, type Gateway } from './peers/start-gateway.ts';
import { prepareInserts } from './queries.ts';
import { bar, exact, roundedAll, type BenchResult } from './report.ts';
import { call, withStack, type BenchOptions, type BenchStack } from './stack.ts';

/**
 * What sockets cost that do nothing but ping, and what the platform would bill. Memory is how much workerd's resident set grows from 500 sleeping sockets to 4,500
 * of one room, and beside it that of a Node `ws` gateway. Wake-ups are calls into any object while they only ping, twice each. Billable operations
 * are counted by `peers/operations.ts` around three ways to send into another room with 100 sockets; `billing.ts` has the prices.
 */
const FEW = 500;
const MORE = 4_000;
const LISTENERS = 100;
const USERS = 64;
const THREADS = 2;
/** A room sleeps 10 s after the last thing that happened. */
const ASLEEP_MS = 14_000;
/** Two pings of each socket. */
const WATCH_MS = 51_000;
const TIDY_MS = 3_000;
const DAYS = 30;
const ENTRY = join(import.meta.dirname, 'peers', 'counting.worker.ts');

/** One message each 8 s, between which the room could sleep, and each 10 ms, over sockets; each 50 ms over HTTP. */
const WAYS = { quiet: { perSecond: 1 / 8, measureMs: 24_000 }, busy: { perSecond: 100, measureMs: 5_000 }, http: { perSecond: 20, measureMs: 5_000 } } as const;
type Way = keyof typeof WAYS;

interface Sent {
  readonly messages: number;
  /** Rows written, by statement. */
  readonly writes: Operations['writes'];
  readonly usage: Usage;
}

export function benchIdle(options: BenchOptions): Promise<BenchResult> {
  return withStack({ ...options, users: USERS, transport: 'none', entry: ENTRY }, async (stack) => {
    await prepareInserts(stack.sql);
    const gateway = await startGateway({ dataDir: stack.dataDir, postgresUrl: stack.describe().postgres_url, channelId: stack.userIds[0] });
    const opened: Crowds[] = [];
    try {
      const idle = await watchIdle(stack, gateway, opened, options.log);
      return summarise(idle, await sendEachWay(stack, opened, options.log));
    } finally {
      await Promise.all(opened.map((crowds) => crowds.close()));
      await gateway.stop();
    }
  });
}

interface Idle {
  readonly roomBytes: number;
  readonly gatewayBytes: number;
  /** What objects did while sockets pinged, and for how long, in seconds. */
  readonly operations: Operations;
  readonly seconds: number;
  readonly pongs: number;
  /** How often the room was made anew for the one message after it slept: 1 if it did sleep. */
  readonly woken: number;
}

async function watchIdle(stack: BenchStack, gateway: Gateway, opened: Crowds[], log: (line: string) => void): Promise<Idle> {
  const channelId = await stack.createChannel('bench-idle');
  const [few, more] = [await openIdle(stack, gateway, channelId, FEW, opened), async () => openIdle(stack, gateway, channelId, MORE, opened)];
  await sleep(ASLEEP_MS);
  const before = memoryOf(stack, gateway);
  const crowds = [...few, ...(await more())];
  log(`${FEW + MORE} sockets of a room and as many of a gateway are open`);
  await sleep(ASLEEP_MS);
  const after = memoryOf(stack, gateway);
  const [from, startedAt, pongsBefore] = [await readOperations(stack), clock(), await countPongs(crowds)];
  await sleep(WATCH_MS);
  const operations = difference(await readOperations(stack), from);
  const seconds = (clock() - startedAt) / 1_000;
  const pongs = (await countPongs(crowds)) - pongsBefore;
  log(`${pongs} pings in ${Math.round(seconds)} s; objects were called ${totalCalls(operations)} times`);
  const woken = await wake(stack, channelId);
  return { roomBytes: (after.room - before.room) / MORE, gatewayBytes: (after.gateway - before.gateway) / MORE, operations, seconds, pongs, woken };
}

/** So many sockets of the room, and of the gateway. */
async function openIdle(stack: BenchStack, gateway: Gateway, channelId: string, sockets: number, opened: Crowds[]): Promise<Crowds[]> {
  const common = { sockets, tokens: stack.tokens, texts: stack.texts, deflate: false, sampleEvery: 100, name: `idle${sockets}` };
  const crowds = [
    await openCrowds({ ...common, port: stack.port, speaks: 'room', paths: [`/v1/channels/${channelId}/socket`] }, THREADS),
    await openCrowds({ ...common, port: gateway.port, speaks: 'gateway', paths: ['/socket'] }, 1),
  ];
  opened.push(...crowds);
  return crowds;
}

async function wake(stack: BenchStack, channelId: string): Promise<number> {
  const before = await readOperations(stack);
  await call(stack.port, 'POST', `/v1/channels/${channelId}/messages`, stack.tokens[0], { client_msg_id: 'wake', text: 'wake' });
  return difference(await readOperations(stack), before).calls['room.constructor'] ?? 0;
}

/** Resident bytes of workerd and of the gateway. */
function memoryOf(stack: BenchStack, gateway: Gateway): { readonly room: number; readonly gateway: number } {
  const { worker } = stack.describe().pids;
  return { room: residentBytes(worker), gateway: residentBytes(gateway.pid()) };
}

const residentBytes = (pid: number | undefined): number => Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })) * 1_024;

const countPongs = async (crowds: readonly Crowds[]): Promise<number> => {
  const states = await Promise.all(crowds.filter((_, index) => index % 2 === 0).map((crowd) => crowd.state()));
  return states.reduce((sum, { pongs }) => sum + pongs, 0);
};

async function readOperations({ port }: BenchStack): Promise<Operations> {
  return JSON.parse(await call(port, 'GET', '/bench/operations', ''));
}

const counted = (now: Readonly<Record<string, number>>, before: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(now).map(([name, count]) => [name, count - (before[name] ?? 0)] as const).filter(([, count]) => count > 0));

export function difference(now: Operations, before: Operations): Operations {
  return {
    calls: counted(now.calls, before.calls),
    writes: counted(now.writes, before.writes),
    rowsRead: now.rowsRead - before.rowsRead,
    rowsWritten: now.rowsWritten - before.rowsWritten,
    alarmsSet: now.alarmsSet - before.alarmsSet,
    awakeMs: now.awakeMs - before.awakeMs,
  };
}

async function sendEachWay(stack: BenchStack, opened: Crowds[], log: (line: string) => void): Promise<Record<Way, Sent>> {
  const channelId = await stack.createChannel('bench-operations');
  const { port, tokens, texts } = stack;
  const crowds = await openCrowds({ port, tokens, texts, sockets: LISTENERS, speaks: 'room', deflate: false, sampleEvery: 100, name: 'ops', paths: [`/v1/channels/${channelId}/socket`] }, 1);
  opened.push(crowds);
  await sleep(TIDY_MS);
  const overSocket = async (way: Way): Promise<number> => (await crowds.talk({ senders: 10, warmMs: 0, ...WAYS[way] })).acknowledged;
  const overHttp = async (): Promise<number> => {
    const writers = startWriters({ port, tokens, texts, channelIds: [channelId], writers: 4, perSecond: WAYS.http.perSecond, idPrefix: 'ops-http' });
    await sleep(WAYS.http.measureMs);
    return (await writers.stop()).acknowledged[0] ?? 0;
  };
  const sent = {
    quiet: await measureSent(stack, () => overSocket('quiet'), 0),
    busy: await measureSent(stack, () => overSocket('busy'), 0),
    http: await measureSent(stack, overHttp, 1),
  };
  for (const [way, { messages, usage, writes }] of Object.entries(sent)) log(`${way}: ${messages} messages, ${JSON.stringify(usage)}, rows ${JSON.stringify(writes)}`);
  return sent;
}

async function measureSent(stack: BenchStack, send: () => Promise<number>, workerRequestsEach: number): Promise<Sent> {
  const before = await readOperations(stack);
  const messages = await send();
  await sleep(TIDY_MS);
  const operations = difference(await readOperations(stack), before);
  return { messages, writes: operations.writes, usage: toUsage(operations, messages * workerRequestsEach) };
}

const NOT_REQUESTS = new Set(['webSocketMessage', 'constructor']);

export function toUsage({ calls, rowsRead, rowsWritten, alarmsSet, awakeMs }: Operations, workerRequests: number): Usage {
  const sum = (wanted: (method: string) => boolean): number =>
    Object.entries(calls).reduce((total, [name, count]) => total + (wanted(name.split('.')[1] ?? '') ? count : 0), 0);
  return {
    workerRequests,
    objectRequests: sum((method) => !NOT_REQUESTS.has(method)),
    socketMessages: sum((method) => method === 'webSocketMessage'),
    rowsRead,
    rowsWritten,
    alarmsSet,
    awakeSeconds: awakeMs / 1_000,
  };
}

const totalCalls = ({ calls }: Operations): number => Object.values(calls).reduce((sum, count) => sum + count, 0);

/** What the watched sockets would be billed for a month of it, each. `pings`: of those the platform answers, which it bills no time for, so many count as messages. */
function monthOf({ operations, seconds }: Idle, pings: number): Bill {
  const usage = toUsage(operations, 0);
  return bill({ ...usage, socketMessages: usage.socketMessages + pings }, (DAYS * 86_400) / seconds / (FEW + MORE));
}

function summarise(idle: Idle, sent: Readonly<Record<Way, Sent>>): BenchResult {
  const perMillion = Object.entries(sent).flatMap(([way, { messages, usage }]) =>
    Object.entries(bill(usage, 1_000_000 / messages)).map(([name, value]) => [`${way}_million_messages_${name}`, value] as const),
  );
  const month = Object.entries(monthOf(idle, 0)).map(([name, value]) => [`idle_socket_month_${name}`, value] as const);
  const wakeups = totalCalls(idle.operations);
  return {
    bench: 'idle',
    figures: roundedAll({
      sockets: FEW + MORE,
      room_bytes_per_socket: idle.roomBytes,
      gateway_bytes_per_socket: idle.gatewayBytes,
      pings: idle.pongs,
      wakeups,
      wakeups_per_socket_hour: (wakeups * 3_600) / idle.seconds / (FEW + MORE),
      awake_share: idle.operations.awakeMs / 1_000 / idle.seconds,
      ...Object.fromEntries(month),
      idle_socket_month_dollars_if_pings_count: monthOf(idle, idle.pongs).dollars,
      ...Object.fromEntries(perMillion),
    }),
    ratios: roundedAll({ room_to_gateway_bytes: idle.roomBytes / idle.gatewayBytes }),
    bars: [
      bar('wakeups_per_socket_hour', (wakeups * 3_600) / idle.seconds / (FEW + MORE), { at_most: 0.05 }),
      bar('pings_answered_share', idle.pongs / (2 * (FEW + MORE)), { at_least: 0.95 }),
      exact('messages_that_woke', (idle.operations.calls['room.webSocketMessage'] ?? 0), 0),
      exact('room_woken_by_the_message_after', idle.woken, 1),
    ],
  };
}
