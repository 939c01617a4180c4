import { join } from 'node:path';
import { startClamd } from './clamd.ts';
import { describeExit, startChild, untilReady, type Running } from './child.ts';
import type { IdentitySettings } from './identity-provider.ts';
import { startKafka } from './kafka/broker.ts';
import { isFree } from './ports.ts';
import { startPooler } from './pooler.ts';
import { startPostgres } from './postgres.ts';
import { guard } from './reaper.ts';
import type { RedisRestSettings } from './redis-rest.ts';
import { hostMessageSchema, type HostSettings } from './worker-messages.ts';
import type { RunningPart, StartPart } from './supervisor.ts';

/** How each part of the stack is started. All of them listen on loopback, on a port decided before. */
const START_TIMEOUT_MS = 60_000;

const here = (file: string): string => join(import.meta.dirname, file);
const logOf = (dataDir: string, name: string): string => join(dataDir, 'logs', `${name}.log`);

/** Throws unless the request is answered with 2xx. */
async function probe(url: string, init: RequestInit = {}): Promise<void> {
  const response = await fetch(url, { ...init, signal: AbortSignal.timeout(2_000) });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`${url} answers ${response.status}`);
}

/** A part whose port somebody else has would take that one's answers for its own. */
async function requireFree(port: number): Promise<void> {
  if (!(await isFree(port))) throw new Error(`port ${port} is taken`);
}

const asPart = (name: string, running: Running): RunningPart => ({
  pids: { [name]: running.pid },
  ended: running.exited.then(describeExit),
  stop: () => running.stop(),
});

interface NodePart {
  readonly name: string;
  readonly dataDir: string;
  readonly port: number;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Throws until the part serves. */
  readonly probe: () => Promise<void>;
  readonly graceMs?: number;
}

function nodePart({ name, dataDir, port, args, env = {}, probe, graceMs = 3_000 }: NodePart): StartPart {
  return async () => {
    await requireFree(port);
    const child = await startChild({ command: process.execPath, args, env, graceMs, logFile: logOf(dataDir, name) });
    await untilReady(child, probe, START_TIMEOUT_MS);
    return asPart(name, child);
  };
}

export function postgresPart(dataDir: string, port: number, report: (line: string) => void): StartPart {
  return async () => {
    const server = await startPostgres({ dataDir: join(dataDir, 'postgres'), port, log: report });
    const release = guard(server.pid);
    void server.exited.then(release);
    return { pids: { postgres: server.pid }, ended: server.exited.then((code) => (code === null ? 'a signal' : `exit code ${code}`)), stop: server.stop };
  };
}

export function kafkaPart(dataDir: string, port: number, controllerPort: number): StartPart {
  return async () => asPart('kafka', await startKafka({ dataDir: join(dataDir, 'kafka'), port, controllerPort, logFile: logOf(dataDir, 'kafka') }));
}

export function identityPart(dataDir: string, settings: IdentitySettings): StartPart {
  return nodePart({
    name: 'idp',
    dataDir,
    port: settings.port,
    args: [here('identity-provider.ts'), JSON.stringify(settings)],
    env: { ENVIRONMENT: 'development' },
    probe: () => probe(`http://127.0.0.1:${settings.port}/.well-known/openid-configuration`),
  });
}

/** A cache: it keeps nothing over a restart, and forgets the oldest when 64 MiB are full. */
export function redisPart(dataDir: string, command: string, port: number): StartPart {
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--maxmemory', '64mb', '--maxmemory-policy', 'allkeys-lru'];
  return async () => {
    const child = await startChild({ command, args, graceMs: 3_000, logFile: logOf(dataDir, 'redis') });
    await untilReady(child, async () => requireText(await child.output(), 'Ready to accept connections'), START_TIMEOUT_MS);
    return asPart('redis', child);
  };
}

function requireText(text: string, wanted: string): void {
  if (!text.includes(wanted)) throw new Error(`it has not said: ${wanted}`);
}

export function redisRestPart(dataDir: string, settings: RedisRestSettings): StartPart {
  return nodePart({
    name: 'redis_rest',
    dataDir,
    port: settings.port,
    args: [here('redis-rest.ts'), JSON.stringify(settings)],
    probe: () => probe(`http://127.0.0.1:${settings.port}/`, { method: 'POST', headers: { authorization: `Bearer ${settings.token}` }, body: '["PING"]' }),
  });
}

export function clamdPart(dataDir: string, command: string, port: number): StartPart {
  return async () => {
    await requireFree(port);
    return asPart('clamd', await startClamd({ command, port, dataDir: join(dataDir, 'clamd'), logFile: logOf(dataDir, 'clamd') }));
  };
}

export function poolerPart(dataDir: string, command: string, port: number, postgresUrl: string): StartPart {
  return async () => {
    await requireFree(port);
    return asPart('pooler', await startPooler({ command, port, postgresUrl, dataDir: join(dataDir, 'pooler'), logFile: logOf(dataDir, 'pooler') }));
  };
}

/** The host of workerd. `worker` is workerd itself, which its host starts again by itself. */
export function workerPart(dataDir: string, settings: HostSettings): StartPart {
  return async (changed) => {
    await requireFree(settings.port);
    const pids: Record<string, number> = {};
    const child = await startChild({
      command: process.execPath,
      args: [here('worker-host.ts'), JSON.stringify(settings)],
      logFile: logOf(dataDir, 'worker'),
      graceMs: 3_000,
      onMessage: (message) => {
        pids['worker'] = hostMessageSchema.parse(message).workerd;
        changed();
      },
    });
    pids['worker_host'] = child.pid;
    await untilReady(child, () => probe(`http://127.0.0.1:${settings.port}/health`), START_TIMEOUT_MS);
    return { pids, ended: child.exited.then(describeExit), stop: () => child.stop() };
  };
}

/** What this process itself is told of a Redis is not for a stack that has none. */
const NO_REDIS = { UPSTASH_REDIS_REST_URL: '', UPSTASH_REDIS_REST_TOKEN: '' };

/** Whoever writes a program for webhooks runs it beside the stack. */
const LOCAL = { ENVIRONMENT: 'development', WEBHOOKS_TO_LOOPBACK: 'true' };

export interface FleetSettings {
  /** Of the process, and of its log file. */
  readonly name: string;
  readonly run: 'relay' | 'groups';
  readonly port: number;
  readonly postgresUrl: string;
  /** Empty: the embedded transport. */
  readonly brokers: readonly string[];
  readonly relayShards: number;
  readonly workerUrl: string;
  readonly fleetToken: string;
  /** The variables of Web Push. */
  readonly vapid: Readonly<Record<string, string>>;
  /** The variables of the second cache level; none where there is none. */
  readonly redis: Readonly<Record<string, string>>;
  /** Where clamd listens; empty: files are not scanned. */
  readonly clamdAddress: string;
  readonly linkPreviews: 'loopback' | 'off';
}

/** The relay or the consumer groups. They drain for up to 8 s when asked to stop. */
export function fleetPart(dataDir: string, { name, run, port, postgresUrl, brokers, relayShards, workerUrl, fleetToken, vapid, redis, clamdAddress, linkPreviews }: FleetSettings): StartPart {
  return nodePart({
    name,
    dataDir,
    port,
    args: ['--disable-warning=TimeoutNegativeWarning', join(import.meta.dirname, '..', 'consumers', 'main.ts'), '--run', run],
    env: {
      DATABASE_URL: postgresUrl, KAFKA_BROKERS: brokers.join(','), RELAY_SHARDS: String(relayShards), PORT: String(port), WORKER_URL: workerUrl, FLEET_TOKEN: fleetToken,
      CLAMD_ADDRESS: clamdAddress, LINK_PREVIEWS: linkPreviews, ...LOCAL, ...vapid, ...NO_REDIS, ...redis,
    },
    probe: () => probe(`http://127.0.0.1:${port}/health`),
    graceMs: 8_000,
  });
}
