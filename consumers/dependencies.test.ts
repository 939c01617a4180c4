import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { Registry } from 'prom-client';
import { afterEach, describe, expect, it } from 'vitest';
import { askAll, optionalDependencies, type Dependency, type DependencyState } from './dependencies.ts';
import { type FleetServer, serveFleet } from './http-server.ts';

const reached = (name: Dependency['name'], isReached: boolean): DependencyState => ({ name, isRequired: name === 'postgres', isReached });

describe('the fleet’s /ready', () => {
  let server: FleetServer | null = null;
  afterEach(() => server?.close());

  async function ask(states: readonly DependencyState[], isServing = true): Promise<{ status: number; body: unknown }> {
    server = await serveFleet('127.0.0.1', 0, new Registry(), { isServing: () => isServing, dependencies: async () => states });
    const response = await fetch(`http://127.0.0.1:${server.port}/ready`);
    return { status: response.status, body: await response.json() };
  }

  it('is ready with all it works with', async () => {
    expect(await ask([reached('postgres', true), reached('kafka', true)])).toEqual({ status: 200, body: { status: 'ready', postgres: 'ok', kafka: 'ok' } });
  });

  it('is less than that, but ready, without Kafka or the Worker, and names what is away', async () => {
    const states = [reached('postgres', true), reached('kafka', false), reached('worker', true)];
    expect(await ask(states)).toEqual({ status: 200, body: { status: 'degraded', postgres: 'ok', kafka: 'unavailable', worker: 'ok' } });
  });

  it('is not ready without Postgres', async () => {
    expect(await ask([reached('postgres', false), reached('kafka', true)])).toEqual({ status: 503, body: { status: 'unavailable', postgres: 'unavailable', kafka: 'ok' } });
  });

  it('is not ready from the moment it ends', async () => {
    expect(await ask([reached('postgres', true)], false)).toEqual({ status: 503, body: { status: 'ending', postgres: 'ok' } });
  });
});

describe('askAll', () => {
  it('takes one that never answers for away, and says so within its patience', async () => {
    const never: Dependency = { name: 'kafka', isRequired: false, reach: () => new Promise(() => {}) };
    const begun = performance.now();
    expect(await askAll([never, { name: 'postgres', isRequired: true, reach: async () => 1 }])).toEqual([reached('kafka', false), reached('postgres', true)]);
    expect(performance.now() - begun).toBeLessThan(10_000);
  });

  it('asks the Worker whether it lives, a broker whether it listens, Redis and clamd for an answer', async () => {
    const isAsked = new Set(['GET /health', 'POST /redis']);
    const worker = createServer(({ method, url }, response) => response.writeHead(isAsked.has(`${method} ${url}`) ? 200 : 404).end()).listen(0, '127.0.0.1');
    await new Promise((resolve) => worker.once('listening', resolve));
    const { port } = worker.address() as AddressInfo;
    const clamd = createTcpServer((socket) => socket.once('data', () => socket.end('PONG\0'))).listen(0, '127.0.0.1');
    await new Promise((resolve) => clamd.once('listening', resolve));
    const { port: clamdPort } = clamd.address() as AddressInfo;
    const config = { brokers: ['127.0.0.1:1', `127.0.0.1:${port}`], worker: { url: `http://127.0.0.1:${port}`, token: 'x' }, redis: { url: `http://127.0.0.1:${port}/redis`, token: 'y' }, clamd: { host: '127.0.0.1', port: clamdPort } };
    const asked = async (): Promise<Record<string, boolean>> => {
      const states = await askAll(optionalDependencies(config));
      return Object.fromEntries(states.map(({ name, isReached }) => [name, isReached]));
    };
    expect(await asked()).toEqual({ kafka: true, worker: true, redis: true, clamd: true });
    worker.closeAllConnections();
    await Promise.all([new Promise((resolve) => worker.close(resolve)), new Promise((resolve) => clamd.close(resolve))]);
    expect(await asked()).toEqual({ kafka: false, worker: false, redis: false, clamd: false });
  });
});
