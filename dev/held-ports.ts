import type { Server } from 'node:net';
import { close, listen, planPorts, PORT_NAMES, type PortName, type PortPlan, type Ports, type PortWish } from './ports.ts';

/** Holds the ports of parts that are not started yet, so that nobody else gets them meanwhile. */
export class HeldPorts {
  readonly #servers = new Map<PortName, Server>();

  /** The name of a port that is taken, or null: then all are held. */
  async hold(ports: Ports): Promise<PortName | null> {
    for (const name of PORT_NAMES) {
      const server = await listen(ports[name]);
      if (server === null) {
        await this.releaseAll();
        return name;
      }
      this.#servers.set(name, server);
    }
    return null;
  }

  /** To be called right before the part that will listen there is started. */
  async release(...names: readonly PortName[]): Promise<void> {
    for (const name of names) {
      const server = this.#servers.get(name);
      this.#servers.delete(name);
      if (server) await close(server);
    }
  }

  releaseAll(): Promise<void> {
    return this.release(...this.#servers.keys());
  }
}

const ATTEMPTS = 5;

/**
 * Plans and holds. Whoever takes a planned port in between makes it plan anew.
 * @throws if `worker`, or a port of an exact wish, is taken.
 */
export async function holdPorts(wish: PortWish, worker?: number): Promise<PortPlan & { readonly held: HeldPorts }> {
  for (let attempt = 1; ; attempt += 1) {
    const plan = await planPorts(wish, worker);
    const held = new HeldPorts();
    const lost = await held.hold(plan.ports);
    if (lost === null) return { ...plan, held };
    if (typeof wish === 'object' || attempt === ATTEMPTS) throw new Error(`port ${plan.ports[lost]} (${lost}) is taken`);
  }
}
