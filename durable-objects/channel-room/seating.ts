import type { Outcome } from '../../protocol/errors.ts';
import { nodeName } from '../fanout-node/node-api.ts';
import type { Actor } from '../sockets/actor-api.ts';
import type { Fanout } from '../sockets/fanout.ts';
import { welcomeFrame } from '../sockets/frames.ts';
import { freshRecord, type RoomSocket } from '../sockets/socket-record.ts';
import { type SocketLimits, userIsFull } from '../sockets/socket-limits.ts';
import type { TidyLoop } from '../sockets/tidy-loop.ts';
import type { Admissions } from './admissions.ts';
import type { Admission, Placement, SocketRequest } from './room-api.ts';
import type { Tree } from './tree.ts';

export interface SeatingPorts<S> {
  readonly channelId: string;
  /** Most sockets that the room itself serves, and of one user. */
  readonly limits: Pick<SocketLimits, 'room' | 'user'>;
  /** The socket is one of the room's. */
  joined(socket: S): void;
}

/** Where sockets are served that the room admits: in the room, or past its fill at one of its nodes. */
export class Seating<S extends RoomSocket> {
  readonly #fanout: Fanout<S>;
  readonly #tree: Tree;
  readonly #admissions: Admissions;
  readonly #tidy: TidyLoop<S>;
  readonly #ports: SeatingPorts<S>;

  constructor(fanout: Fanout<S>, tree: Tree, admissions: Admissions, tidy: TidyLoop<S>, ports: SeatingPorts<S>) {
    this.#fanout = fanout;
    this.#tree = tree;
    this.#admissions = admissions;
    this.#tidy = tidy;
    this.#ports = ports;
  }

  /** `open` is called once it is certain to be admitted, in the same turn. */
  async join(request: SocketRequest, open: () => S): Promise<Outcome<S | Placement>> {
    if (this.#isFull()) return await this.#place(request.actor);
    const seated = await this.#admissions.admit(request, (admission) => this.#seat(request, admission, open));
    if ('problem' in seated) return seated;
    return seated.ok === null ? await this.#place(request.actor) : { ok: seated.ok };
  }

  /** As `RoomOfNodes`. */
  async admit(node: number, request: SocketRequest): Promise<Outcome<Admission>> {
    return await this.#admissions.admit(request, (admission) => {
      this.#tidy.touch();
      return this.#tree.admit(node) ? { ok: admission } : { problem: { code: 'unavailable', retry_after: 1 } };
    });
  }

  /** Null: the room has its fill. */
  #seat(request: SocketRequest, admission: Admission, open: () => S): Outcome<S | null> {
    if (this.#isFull()) return { ok: null };
    if (this.#tidy.hasLiveOf(request.actor.user_id, this.#ports.limits.user)) return { problem: userIsFull };
    return { ok: this.#welcome(request, admission, open()) };
  }

  #welcome({ actor, next_ticket }: SocketRequest, admission: Admission, socket: S): S {
    const { session, epoch, seq } = admission;
    socket.send(welcomeFrame(admission, next_ticket));
    this.#fanout.join(socket, freshRecord({ session, actor, epoch }, seq));
    this.#ports.joined(socket);
    this.#tidy.touch();
    return socket;
  }

  #isFull(): boolean {
    return this.#tidy.hasLive(this.#ports.limits.room);
  }

  /** Nobody is sent on who would be refused there. */
  async #place(actor: Actor): Promise<Outcome<Placement>> {
    const refusal = await this.#admissions.refusal(actor);
    if (refusal !== null) return { problem: refusal };
    this.#tidy.touch();
    const placed = await this.#tree.place(this.#fanout.size);
    return 'problem' in placed ? placed : { ok: { node: placed.ok, name: nodeName(this.#ports.channelId, placed.ok) } };
  }
}
