import type { Outcome, Problem } from '../../protocol/errors.ts';
import type { Actor } from '../sockets/actor-api.ts';
import type { Fanout } from '../sockets/fanout.ts';
import { welcomeFrame } from '../sockets/frames.ts';
import { SOCKET_LIMITS, userIsFull } from '../sockets/socket-limits.ts';
import { type Activity, freshRecord, type RoomSocket } from '../sockets/socket-record.ts';
import { findStart, type Served, type Start } from '../sockets/start.ts';
import type { TidyLoop } from '../sockets/tidy-loop.ts';
import type { InboxSocketRequest } from './inbox-api.ts';


export interface InboxSeatingPorts<S> {
  clock(): number;
  newId(now: number): string;
  /** Why this actor may not have a socket here, or null. */
  refusal(actor: Actor): Problem | null;
  /** What is noted of a device that has just come. */
  activity(): Activity;
  /** The socket is one of the inbox's. */
  joined(socket: S): void;
}

/** Which sockets an inbox serves, and from where on. */
export class InboxSeating<S extends RoomSocket> {
  readonly #fanout: Fanout<S>;
  readonly #served: Served;
  readonly #tidy: TidyLoop<S>;
  readonly #ports: InboxSeatingPorts<S>;

  constructor(fanout: Fanout<S>, served: Served, tidy: TidyLoop<S>, ports: InboxSeatingPorts<S>) {
    this.#fanout = fanout;
    this.#served = served;
    this.#tidy = tidy;
    this.#ports = ports;
  }

  /** `open` is called once it is certain to be admitted, in the same turn. */
  async join(request: InboxSocketRequest, open: () => S): Promise<Outcome<S>> {
    this.#tidy.touch();
    const start = await findStart(this.#served, request.since);
    if ('problem' in start) return start;
    const problem = this.#ports.refusal(request.actor) ?? (this.#tidy.hasLive(SOCKET_LIMITS.user) ? userIsFull : null);
    if (problem !== null) return { problem };
    return { ok: this.#welcome(request, start.ok, open()) };
  }

  #welcome({ actor, next_ticket }: InboxSocketRequest, { seq, recovered }: Start, socket: S): S {
    const { epoch, seq: head } = this.#served.log.state;
    const session = this.#ports.newId(this.#ports.clock());
    socket.send(welcomeFrame({ session, epoch, seq, head, recovered }, next_ticket));
    this.#fanout.join(socket, { ...freshRecord({ session, actor, epoch }, seq), activity: this.#ports.activity() });
    this.#ports.joined(socket);
    return socket;
  }
}
