import type { Outcome, Problem } from '../../protocol/errors.ts';
import type { Archive } from '../log/archive.ts';
import type { Actor } from '../sockets/actor-api.ts';
import { findStart } from '../sockets/start.ts';
import { accessProblem } from './commands.ts';
import type { Conversation } from './conversation.ts';
import type { MembershipLookup } from './membership.ts';
import type { Admission, SocketRequest } from './room-api.ts';

export interface AdmissionPorts {
  clock(): number;
  /** Postgres is about to be asked. */
  asking(): void;
}

/** Who may act in a room, and where their sockets begin. */
export class Admissions {
  readonly #conversation: Conversation;
  readonly #archive: Archive;
  readonly #lookup: MembershipLookup;
  readonly #ports: AdmissionPorts;

  constructor(conversation: Conversation, archive: Archive, lookup: MembershipLookup, ports: AdmissionPorts) {
    this.#conversation = conversation;
    this.#archive = archive;
    this.#lookup = lookup;
    this.#ports = ports;
  }

  /** Why the actor is refused, once the room has learned what Postgres knows of them. */
  async refusal(actor: Actor): Promise<Problem | null> {
    const problem = accessProblem(this.#conversation, actor, this.#ports.clock());
    if (problem === null || problem.code === 'unauthenticated') return problem;
    this.#ports.asking();
    return (await this.#lookup.heal(actor.user_id)) ?? accessProblem(this.#conversation, actor, this.#ports.clock());
  }

  /** Admits a socket, and has it seated in the very turn in which that is certain: no removal can fall between (G5). */
  async admit<T>({ actor, since }: SocketRequest, seat: (admission: Admission) => Outcome<T>): Promise<Outcome<T>> {
    const refusal = await this.refusal(actor);
    if (refusal !== null) return { problem: refusal };
    const start = await findStart({ log: this.#conversation.log, archive: this.#archive, asking: () => this.#ports.asking() }, since);
    if ('problem' in start) return start;
    const now = this.#ports.clock();
    const problem = accessProblem(this.#conversation, actor, now);
    if (problem !== null) return { problem };
    const { epoch, seq: head } = this.#conversation.log.state;
    return seat({ session: this.#conversation.newId(now), epoch, head, ...start.ok });
  }
}
