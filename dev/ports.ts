import { createServer } from 'node:net';

/** Binds `port` (0: any) on loopback for a moment. Resolves to the port, or null if it is taken. */
function tryPort(port: number): Promise<number | null> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' || error.code === 'EACCES' ? resolve(null) : reject(error)));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : null));
    });
  });
}

/** A port nobody listens on at loopback. Two calls may return the same one: bind it soon. */
export async function freePort(): Promise<number> {
  const port = await tryPort(0);
  if (port === null) throw new Error('no free port on loopback');
  return port;
}

const isFree = async (port: number): Promise<boolean> => (await tryPort(port)) !== null;

/** The usual ports of the stack, beside each other so that a person recognises them. */
const USUAL_PORTS = { worker: 8787, idp: 8788, fleet: 8789, relay: 8790, redisRest: 8791, postgres: 54329, redis: 63799, kafka: 19092, kafkaController: 19093 };
export type PortName = keyof typeof USUAL_PORTS;
export type Ports = Readonly<Record<PortName, number>>;

export interface PortPlan {
  readonly ports: Ports;
  /** The usual ports that were taken, by name. */
  readonly taken: Readonly<Partial<Record<PortName, number | undefined>>>;
}

async function nextFree(from: number, used: ReadonlySet<number>): Promise<number> {
  for (let port = from + 1; port <= from + 50 && port < 65_536; port += 1) if (!used.has(port) && (await isFree(port))) return port;
  return freePort();
}

/** Which ports a stack listens on: its usual ones where they are free, any free ones, or exactly these. */
export type PortWish = 'usual' | 'free' | Ports;

/** `worker` overrides that one port. @throws if `worker` is taken. */
export async function planPorts(wish: PortWish, worker?: number): Promise<PortPlan> {
  if (worker !== undefined && !(await isFree(worker))) throw new Error(`port ${worker} is taken: choose another with --port`);
  const { ports, taken } = wish === 'usual' ? await usualPorts() : { ports: wish === 'free' ? await freePorts() : wish, taken: {} };
  return worker === undefined ? { ports, taken } : { ports: { ...ports, worker }, taken: { ...taken, worker: undefined } };
}

/** Each part's usual port, or where that is taken the next free one that is nobody's usual one. */
async function usualPorts(): Promise<PortPlan> {
  const used = new Set<number>(Object.values(USUAL_PORTS));
  const ports: Record<PortName, number> = { ...USUAL_PORTS };
  const taken: Partial<Record<PortName, number>> = {};
  for (const name of Object.keys(USUAL_PORTS) as PortName[]) {
    if (await isFree(ports[name])) continue;
    taken[name] = ports[name];
    ports[name] = await nextFree(ports[name], used);
    used.add(ports[name]);
  }
  return { ports, taken };
}

/** Ports that are free now, all different. */
async function freePorts(): Promise<Ports> {
  const used = new Set<number>();
  while (used.size < Object.keys(USUAL_PORTS).length) used.add(await freePort());
  const free = [...used];
  return Object.fromEntries(Object.keys(USUAL_PORTS).map((name, index) => [name, free[index] ?? 0])) as Record<PortName, number>;
}
