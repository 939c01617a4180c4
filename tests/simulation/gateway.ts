import { problemDocument, type ErrorCode } from '../../protocol/errors.ts';
import type { Actor, Redeemed } from '../../durable-objects/sockets/actor-api.ts';
import { NetworkError, ProblemError } from '../../client/errors.ts';
import type { WebSocketLike } from '../../client/ports.ts';
import { integer } from '../../client/testing/random.ts';
import type { Directory } from './directory.ts';
import type { ObjectPorts } from './simulated-object.ts';
import { Wire } from './wire.ts';

export interface GatewayPorts extends Pick<ObjectPorts, 'schedule' | 'random' | 'reach'> {
  readonly directory: Directory;
}

export type Since = { readonly epoch: number; readonly seq: number } | null;
/** Hands an authenticated socket to its object; false: it is refused. */
export type Connect = (wire: Wire, redeemed: Redeemed, since: Since) => Promise<boolean>;

/** The Worker, as one device of a user reaches it. */
export class Gateway {
  readonly #ports: GatewayPorts;
  readonly #userId: string;
  #credential: Actor;

  constructor(userId: string, ports: GatewayPorts) {
    this.#ports = ports;
    this.#userId = userId;
    this.#credential = ports.directory.signIn(userId);
  }

  get credential(): Actor {
    return this.#credential;
  }

  /** One request: it may be lost on its way there or back, or find Postgres away. */
  async ask<T>(answer: () => T): Promise<T> {
    const { schedule, random, reach } = this.#ports;
    await schedule.delay(integer(random, 30));
    if (random() < reach.lost / 2) throw new NetworkError('no answer');
    if (reach.away) throw problem('unavailable');
    const value = answer();
    await schedule.delay(integer(random, 30));
    if (random() < reach.lost / 2) throw new NetworkError('no answer');
    return value;
  }

  /** A credential that has ended is renewed first, as by the identity provider. */
  ticket(): { ticket: string; expires_in: number } {
    const { directory } = this.#ports;
    if (!directory.isGood(this.#credential)) this.#credential = directory.signIn(this.#userId);
    return { ticket: directory.tickets.issue(this.#credential), expires_in: 30 };
  }

  openSocket(url: URL, protocols: readonly string[], connect: Connect): WebSocketLike {
    const { schedule, random, directory } = this.#ports;
    const wire = new Wire({ schedule, random });
    const redeemed = directory.tickets.redeem(protocols.at(-1)?.replace('colink.ticket.', '') ?? '');
    const [epoch, seq] = [url.searchParams.get('epoch'), url.searchParams.get('since')];
    void this.#handshake(wire, redeemed, epoch === null || seq === null ? null : { epoch: Number(epoch), seq: Number(seq) }, connect);
    return wire.client;
  }

  async #handshake(wire: Wire, redeemed: Redeemed | null, since: Since, connect: Connect): Promise<void> {
    const { schedule, random, directory, reach } = this.#ports;
    await schedule.delay(integer(random, 30));
    const served = redeemed !== null && directory.isGood(redeemed.actor) && !reach.away && random() >= reach.lost / 2;
    const joined = served && (await connect(wire, redeemed, since).catch(() => false));
    if (!joined) wire.refuse();
  }
}

export const problem = (code: ErrorCode): ProblemError => new ProblemError(problemDocument({ code }));
