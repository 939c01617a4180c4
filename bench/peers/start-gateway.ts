import { join } from 'node:path';
import { startChild, untilReady, type Child } from '../../dev/child.ts';
import { detect, isPresent } from '../../dev/components.ts';
import { freePort } from '../../dev/ports.ts';
import type { GatewaySettings } from './ws-gateway.ts';

export interface Gateway {
  readonly port: number;
  /** Of the gateway that runs now. */
  pid(): number;
  /** Kills it without a word, and starts it again on the same port. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

const READY_MS = 15_000;

/** A Redis and one gateway, on loopback. Rejects where this machine has no redis-server. */
export async function startGateway({ dataDir, postgresUrl, channelId }: { dataDir: string; postgresUrl: string; channelId: string }): Promise<Gateway> {
  const { redis } = detect();
  if (!isPresent(redis)) throw new Error(`the gateway needs Redis: ${redis.missing}`);
  const [port, redisPort] = [await freePort(), await freePort()];
  const args = ['--port', String(redisPort), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  const store = await startChild({ command: redis.path, args, graceMs: 3_000, logFile: join(dataDir, 'logs', 'bench-redis.log') });
  try {
    await untilReady(store, async () => requireText(store, 'Ready to accept connections'), READY_MS);
    const start = (): Promise<Child> => startNode({ port, redisPort, postgresUrl, channelId }, join(dataDir, 'logs', 'bench-gateway.log'));
    let gateway = await start();
    return {
      port,
      pid: () => gateway.pid,
      async kill() {
        process.kill(gateway.pid, 'SIGKILL');
        await gateway.exited;
        gateway = await start();
      },
      stop: async () => void (await Promise.all([gateway.stop(), store.stop()])),
    };
  } catch (error) {
    await store.stop();
    throw error;
  }
}

async function startNode(settings: GatewaySettings, logFile: string): Promise<Child> {
  const program = join(import.meta.dirname, 'ws-gateway.ts');
  const child = await startChild({ command: process.execPath, args: [program, JSON.stringify(settings)], graceMs: 3_000, logFile });
  await untilReady(child, async () => void (await fetch(`http://127.0.0.1:${settings.port}/`)), READY_MS);
  return child;
}

async function requireText(child: Child, wanted: string): Promise<void> {
  if (!(await child.output()).includes(wanted)) throw new Error(`it has not said: ${wanted}`);
}
