import type { Outcome, Problem } from '../../protocol/errors.ts';
import { MAX_FRAME_EVENTS } from '../../protocol/limits.ts';
import type { Archive } from '../log/archive.ts';
import type { Actor } from '../sockets/actor-api.ts';
import { FRAME_BYTES } from '../sockets/fanout.ts';
import { accessProblem } from './commands.ts';
import type { Conversation } from './conversation.ts';
import type { MembershipLookup } from './membership.ts';
import type { Admission, SocketRequest } from './room-api.ts';

export interface AdmissionPorts {
  clock(): number;
  /** Postgres is about to be asked. */
  asking(): void;
}

/** Where a new socket begins. */
type Start = Pick<Admission, 'seq' | 'recovered'>;

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

  /** Admits a socket as of the turn in which this resolves. */
  async admit({ actor, since }: SocketRequest): Promise<Outcome<Admission>> {
    const refusal = await this.refusal(actor);
    if (refusal !== null) return { problem: refusal };
    const start = await this.#start(since);
    if ('problem' in start) return start;
    const now = this.#ports.clock();
    const problem = accessProblem(this.#conversation, actor, now);
    if (problem !== null) return { problem };
    const { epoch, seq: head } = this.#conversation.log.state;
    return { ok: { session: this.#conversation.newId(now), epoch, head, ...start.ok } };
  }

  /** Honest about a resume (G4): all that was missed can be had, or the client is told to begin anew. */
  async #start(since: SocketRequest['since']): Promise<Outcome<Start>> {
    const { epoch, seq, drainedSeq } = this.#conversation.log.state;
    if (since !== null && since.epoch === epoch && since.seq <= seq) {
      const kept = await this.#isKept(since.seq);
      if (kept === 'unknown') return { problem: { code: 'unavailable', retry_after: 5 } };
      if (kept === 'whole') return { ok: { seq: since.seq, recovered: true } };
    }
    return { ok: { seq: drainedSeq, recovered: false } };
  }

  /** Whether what follows `seq` can be had: from the room's own log, or from Postgres, if that can be asked. */
  async #isKept(seq: number): Promise<'whole' | 'lost' | 'unknown'> {
    const { log } = this.#conversation;
    if (log.retains(seq + 1)) return 'whole';
    this.#ports.asking();
    try {
      const chunk = await this.#archive.readOrThrow(seq, log.state.firstSeq, MAX_FRAME_EVENTS, FRAME_BYTES);
      return chunk === null ? 'lost' : 'whole';
    } catch {
      return 'unknown';
    }
  }
}
