import { join } from 'node:path';
import { freePort } from '../ports.ts';
import { type KafkaBroker, startKafka } from './broker.ts';

export const NODES = [1, 2, 3] as const;
export type Node = (typeof NODES)[number];

/** Three brokers on loopback, each also a controller. Topics have what copies their makers ask for; three here means what it does in production. */
export interface KafkaCluster {
  /** For clients: all three addresses, comma-separated. They stay the same over kills and starts. */
  readonly brokers: string;
  /** kill -9. Resolves when the process is gone. */
  kill(node: Node): Promise<void>;
  /** SIGSTOP: it answers nobody, and knows of nothing, until it is thawed. To the others it is as behind a cut cable. */
  freeze(node: Node): void;
  thaw(node: Node): void;
  /** Starts a killed node on the data it had. Resolves when it serves, for which two of three have to run. */
  start(node: Node): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts the three at once, because none serves alone.
 * @throws as `startKafka` does; none is left running then.
 */
export async function startKafkaCluster(dataDir: string): Promise<KafkaCluster> {
  const ports = await distinctPorts(NODES.length * 2);
  const [clientPorts, controllerPorts] = [ports.slice(0, NODES.length), ports.slice(NODES.length)];
  const running = new Map<Node, KafkaBroker>();

  async function start(node: Node): Promise<void> {
    if (running.has(node)) throw new Error(`broker ${node} runs`);
    const port = clientPorts[node - 1];
    if (port === undefined) throw new Error(`there is no broker ${node}`);
    running.set(node, await startKafka({ dataDir: join(dataDir, `broker-${node}`), port, cluster: { nodeId: node, controllerPorts } }));
  }

  async function kill(node: Node): Promise<void> {
    const broker = running.get(node);
    if (broker === undefined) throw new Error(`broker ${node} does not run`);
    running.delete(node);
    process.kill(broker.pid, 'SIGKILL');
    await broker.exited;
  }

  function signal(node: Node, name: 'SIGSTOP' | 'SIGCONT'): void {
    const broker = running.get(node);
    if (broker === undefined) throw new Error(`broker ${node} does not run`);
    process.kill(broker.pid, name);
  }

  const freeze = (node: Node): void => signal(node, 'SIGSTOP');
  const thaw = (node: Node): void => signal(node, 'SIGCONT');

  /** At once: the last two to go would wait for each other's farewell. */
  async function stop(): Promise<void> {
    for (const node of running.keys()) thaw(node);
    await Promise.all([...running.values()].map((broker) => broker.stop()));
    running.clear();
  }

  const started = await Promise.allSettled(NODES.map(start));
  const failed = started.find((one) => one.status === 'rejected');
  if (failed) {
    await stop();
    throw failed.reason;
  }
  return { brokers: clientPorts.map((port) => `127.0.0.1:${port}`).join(','), kill, freeze, thaw, start, stop };
}

async function distinctPorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) ports.add(await freePort());
  return [...ports];
}
