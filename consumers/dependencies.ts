import { connect } from 'node:net';
import { timeout, TimeoutStrategy } from 'cockatiel';
import type { Sql } from '../db/client.ts';
import type { RedisAddress } from './cache-invalidator/redis.ts';
import type { FleetConfig } from './config.ts';
import { clamdAt } from './file-scanner/clamd.ts';
import type { ClamdAddress } from './file-scanner/clamd-session.ts';

/** A part of the system that the fleet works with. Only `postgres` is required: what else is away is waited for, and what it holds up is late. */
export interface Dependency {
  readonly name: 'postgres' | 'kafka' | 'worker' | 'redis' | 'clamd';
  readonly isRequired: boolean;
  /** Rejects, or does not answer in time, where it cannot be reached. */
  reach(signal: AbortSignal): Promise<unknown>;
}

export interface DependencyState {
  readonly name: Dependency['name'];
  readonly isRequired: boolean;
  readonly isReached: boolean;
}

const patience = timeout(2_000, TimeoutStrategy.Aggressive);

export function dependenciesOf(config: FleetConfig, sql: Sql): Dependency[] {
  return [{ name: 'postgres', isRequired: true, reach: () => sql`SELECT 1 AS one` }, ...optionalDependencies(config)];
}

export function optionalDependencies({ brokers, worker, redis, clamd }: Pick<FleetConfig, 'brokers' | 'worker' | 'redis' | 'clamd'>): Dependency[] {
  const kafka: Dependency = { name: 'kafka', isRequired: false, reach: (signal) => Promise.any(brokers.map((broker) => accepts(broker, signal))) };
  return [
    ...(brokers.length === 0 ? [] : [kafka]),
    ...(worker === null ? [] : [workerAt(worker.url)]),
    ...(redis === null ? [] : [redisAt(redis)]),
    ...(clamd === null ? [] : [scannerAt(clamd)]),
  ];
}

const scannerAt = (address: ClamdAddress): Dependency => ({ name: 'clamd', isRequired: false, reach: (signal) => clamdAt(address).ping(signal) });

const workerAt = (url: string): Dependency => ({ name: 'worker', isRequired: false, reach: (signal) => answers(new URL('/health', url), signal) });

const redisAt = ({ url, token }: RedisAddress): Dependency => ({
  name: 'redis',
  isRequired: false,
  reach: (signal) => answers(new URL(url), signal, { method: 'POST', headers: { authorization: `Bearer ${token}` }, body: '["PING"]' }),
});

/** Asks all at once; takes 2 s at most. */
export function askAll(dependencies: readonly Dependency[]): Promise<DependencyState[]> {
  return Promise.all(
    dependencies.map(async ({ name, isRequired, reach }) => {
      const isReached = await patience.execute(({ signal }) => reach(signal)).then(() => true, () => false);
      return { name, isRequired, isReached };
    }),
  );
}

/** Whether somebody listens at `host:port`. No request is made: kafkajs has no client that asks without leaving warnings when nobody is there. */
function accepts(address: string, signal: AbortSignal): Promise<void> {
  const { hostname, port } = new URL(`tcp://${address}`);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port) });
    signal.addEventListener('abort', () => socket.destroy(), { once: true });
    socket.once('connect', () => {
      socket.destroy();
      resolve();
    });
    socket.once('error', reject);
  });
}

async function answers(url: URL, signal: AbortSignal, request: RequestInit = {}): Promise<void> {
  const response = await fetch(url, { ...request, signal });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`it answers ${response.status}`);
}
