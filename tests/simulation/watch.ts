import type { ChannelEvent } from '../../protocol/events.ts';
import type { CommandResult, ServerFrame } from '../../protocol/frames.ts';
import type { Actor } from '../../durable-objects/sockets/actor-api.ts';
import { Violation } from './trace.ts';

/** A send that was answered with yes. */
export interface Acknowledged extends Pick<CommandResult, 'message_id' | 'seq'> {
  readonly author_id: string;
  readonly client_msg_id: string;
}

/** What one socket has been told so far. */
export interface Told {
  actor: Actor;
  epoch: number;
  /** Everything up to here; null before the welcome. */
  seq: number | null;
}

/** Sees all that becomes durable and all that leaves the room, and says at once where a guarantee does not hold. */
export class Watch {
  readonly violations: Violation[] = [];
  readonly acknowledged: Acknowledged[] = [];
  /** Users whose removal has been answered, and credentials whose revocation has. */
  readonly removed = new Set<string>();
  readonly revoked = new Set<string>();
  /** The channel's events as they became durable: `seq` is the index and one. */
  readonly #truth: string[] = [];

  get head(): number {
    return this.#truth.length;
  }

  get events(): ChannelEvent[] {
    return this.#truth.map((json): ChannelEvent => JSON.parse(json));
  }

  violate(guarantee: string, detail: string): void {
    this.violations.push(new Violation(guarantee, detail));
  }

  becameDurable(seq: number, json: string): void {
    if (seq === this.#truth.length + 1) this.#truth.push(json);
    else if (this.#truth[seq - 1] !== json) this.violate('G3', `event ${seq} became another one, or came before ${this.#truth.length + 1}`);
  }

  /** Postgres has committed these. */
  drained(events: readonly ChannelEvent[]): void {
    for (const event of events) {
      if (this.#truth[event.seq - 1] !== JSON.stringify(event)) this.violate('G6', `Postgres has event ${event.seq}, which is not durable in the log, or is another one there`);
    }
  }

  /** An answer leaves the room. */
  acknowledges(actor: Actor, clientMsgId: string, { message_id, seq }: CommandResult): void {
    if (this.removed.has(actor.user_id) || this.revoked.has(actor.credential_id)) this.violate('G5', `a command of ${actor.user_id} was taken after their access had ended`);
    if (seq !== null && seq > this.#truth.length) this.violate('G1', `event ${seq} was acknowledged before it was durable`);
    this.acknowledged.push({ author_id: actor.user_id, client_msg_id: clientMsgId, message_id, seq });
  }

  /** A frame leaves the room for a socket. `saidAt`: when the room sent it, by its own clock. */
  tells(told: Told, frame: ServerFrame, saidAt: number): void {
    if (frame.type === 'welcome') [told.epoch, told.seq] = [frame.epoch, frame.seq];
    if (frame.type !== 'events') return;
    this.#mayHear(told.actor, saidAt);
    if (frame.epoch !== told.epoch || frame.from !== (told.seq ?? 0) + 1) this.violate('G4', `a socket at ${told.epoch}/${told.seq} got events ${frame.epoch}/${frame.from} to ${frame.to}`);
    if (frame.to - frame.from + 1 !== frame.events.length) this.violate('G4', `events ${frame.from} to ${frame.to} are ${frame.events.length}`);
    told.seq = frame.to;
    for (const event of frame.events) this.isTrue(event);
  }

  /** Somebody is shown an event: it is the very one that the log holds. */
  isTrue(event: ChannelEvent): void {
    if (this.#truth[event.seq - 1] !== JSON.stringify(event)) this.violate('G3', `event ${event.seq} was shown, which the durable log does not hold`);
  }

  #mayHear({ user_id, credential_id, expires_at }: Actor, saidAt: number): void {
    if (this.removed.has(user_id)) this.violate('G5', `${user_id} was told events after their removal was answered`);
    if (this.revoked.has(credential_id)) this.violate('G5', `the credential ${credential_id} was told events after its revocation was answered`);
    if (expires_at <= saidAt) this.violate('G5', `the credential ${credential_id} was told events after its end`);
  }
}
