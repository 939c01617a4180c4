import { connect, createServer, type Server } from 'node:net';

/** Listens on a port (0: any) of loopback, and hangs up on whoever connects. Resolves to null if it is taken. */
export function listen(port: number): Promise<Server | null> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' || error.code === 'EACCES' ? resolve(null) : reject(error)));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => resolve(server));
  });
}

/** Resolves to the port that was listened on. */
export function close(server: Server): Promise<number> {
  const address = server.address();
  return new Promise((resolve) => server.close(() => resolve(typeof address === 'object' && address ? address.port : 0)));
}

/** A port nobody listens on at loopback. Two calls may return the same one: bind it soon. */
export async function freePort(): Promise<number> {
  const server = await listen(0);
  if (server === null) throw new Error('no free port on loopback');
  return close(server);
}

/** So many ports that nobody listens on, all different, and none of `but`. */
export async function differentPorts(count: number, but: Iterable<number> = []): Promise<number[]> {
  const [found, excluded] = [new Set<number>(), new Set(but)];
  while (found.size < count) {
    const port = await freePort();
    if (!excluded.has(port)) found.add(port);
  }
  return [...found];
}

export async function isFree(port: number): Promise<boolean> {
  const server = await listen(port);
  if (server !== null) await close(server);
  return server !== null;
}

/** The usual ports of the stack, beside each other so that a person recognises them. */
const USUAL_PORTS = { worker: 8787, idp: 8788, fleet: 8789, relay: 8790, redisRest: 8791, postgres: 54329, pooler: 54330, redis: 63799, clamd: 33109, kafka: 19092, kafkaController: 19093 };
export type PortName = keyof typeof USUAL_PORTS;
export const PORT_NAMES = Object.keys(USUAL_PORTS) as readonly PortName[];
export type Ports = Readonly<Record<PortName, number>>;

export interface PortPlan {
  readonly ports: Ports;
  /** The usual ports that were taken, by name. */
  readonly taken: Readonly<Partial<Record<PortName, number>>>;
}

/** Which ports a stack listens on: its usual ones where they are free, any free ones, or exactly these. */
export type PortWish = 'usual' | 'free' | Ports;

/** `worker` overrides that one port. @throws if `worker` is taken. */
export async function planPorts(wish: PortWish, worker?: number): Promise<PortPlan> {
  if (worker !== undefined && !(await isFree(worker))) throw new Error(`port ${worker} is taken: choose another with --port`);
  const wanted = worker === undefined ? {} : { worker };
  if (wish === 'usual') return usualPorts(wanted);
  return { ports: { ...(wish === 'free' ? await freePorts() : wish), ...wanted }, taken: {} };
}

/** Each part's usual port, or where that is taken the next free one that is nobody's usual one. */
async function usualPorts(wanted: Partial<Ports>): Promise<PortPlan> {
  const ports: Record<PortName, number> = { ...USUAL_PORTS, ...wanted };
  const used = new Set([...Object.values(USUAL_PORTS), ...Object.values(ports)]);
  const taken: Partial<Record<PortName, number>> = {};
  for (const name of PORT_NAMES) {
    if (await isFree(ports[name])) continue;
    taken[name] = ports[name];
    ports[name] = await nextFree(ports[name], used);
    used.add(ports[name]);
  }
  return { ports, taken };
}

async function nextFree(after: number, used: ReadonlySet<number>): Promise<number> {
  for (let port = after + 1; port <= after + 50 && port < 65_536; port += 1) if (!used.has(port) && (await isFree(port))) return port;
  return freePort();
}

/** Ports that are free now, all different. */
async function freePorts(): Promise<Ports> {
  const free = await differentPorts(PORT_NAMES.length);
  return Object.fromEntries(PORT_NAMES.map((name, index) => [name, free[index] ?? 0])) as Record<PortName, number>;
}

const CONNECT_MS = 2_000;

function answers(address: string): Promise<boolean> {
  const { hostname, port } = new URL(`tcp://${address}`);
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port), timeout: CONNECT_MS });
    const settle = (isUp: boolean): void => {
      socket.destroy();
      resolve(isUp);
    };
    socket.once('connect', () => settle(true)).once('error', () => settle(false)).once('timeout', () => settle(false));
  });
}

/** Whether any of these `host:port` accepts a connection within 2 s. */
export const answersAny = async (addresses: readonly string[]): Promise<boolean> => (await Promise.all(addresses.map(answers))).some(Boolean);
