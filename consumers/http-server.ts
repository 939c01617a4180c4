import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';

export interface FleetStatus {
  /** False from the moment a shutdown begins. */
  isServing(): boolean;
  /** Whether Postgres answers: the only part without which the fleet is not ready. */
  reachesPostgres(): Promise<boolean>;
}

export interface FleetServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Serves `/health` (the process lives), `/ready` (503 while shutting down or without Postgres) and `/metrics`. */
export async function serveFleet(host: string, port: number, registry: Registry, status: FleetStatus): Promise<FleetServer> {
  const routes: Record<string, (response: ServerResponse) => Promise<void>> = {
    '/health': async (response) => answer(response, 200, { status: 'ok' }),
    '/ready': async (response) => {
      const isReady = status.isServing() && (await status.reachesPostgres());
      answer(response, isReady ? 200 : 503, { status: isReady ? 'ready' : 'not_ready' });
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
