import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';
import type { DependencyState } from './dependencies.ts';

export interface FleetHealth {
  /** False from the moment a shutdown begins. */
  isServing(): boolean;
  /** Each part that the fleet works with; one that is required and away makes it unready, another one only less. */
  dependencies(): Promise<readonly DependencyState[]>;
}

export interface FleetServer {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Serves `/health` (the process lives), `/ready` (503 while it ends or without Postgres, else 200, naming what is away) and `/metrics`. A request takes
 * a few seconds at most, whatever is away.
 */
export async function serveFleet(host: string, port: number, registry: Registry, health: FleetHealth): Promise<FleetServer> {
  const routes: Record<string, (response: ServerResponse) => Promise<void>> = {
    '/health': async (response) => answer(response, 200, { status: 'ok' }),
    '/ready': async (response) => {
      const { code, body } = readiness(health.isServing(), await health.dependencies());
      answer(response, code, body);
    },
    '/metrics': async (response) => {
      const text = await registry.metrics();
      response.writeHead(200, { 'content-type': registry.contentType }).end(text);
    },
  };
  const server = createServer((request, response) => {
    const route = routes[(request.url ?? '').split('?', 1)[0] ?? ''];
    if (route === undefined) answer(response, 404, { status: 'not_found' });
    else route(response).catch(() => response.destroy());
  });
  await listen(server, host, port);
  return { port: (server.address() as AddressInfo).port, close: () => close(server) };
}

/** `degraded`: it works, but what waits for the parts that are away is late. */
function readiness(isServing: boolean, states: readonly DependencyState[]): { code: 200 | 503; body: Record<string, string> } {
  const away = states.filter(({ isReached }) => !isReached);
  const isReady = isServing && !away.some(({ isRequired }) => isRequired);
  const status = !isServing ? 'ending' : !isReady ? 'unavailable' : away.length > 0 ? 'degraded' : 'ready';
  const parts = Object.fromEntries(states.map(({ name, isReached }) => [name, isReached ? 'ok' : 'unavailable']));
  return { code: isReady ? 200 : 503, body: { status, ...parts } };
}

function answer(response: ServerResponse, status: number, body: Readonly<Record<string, string>>): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' }).end(JSON.stringify(body));
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
