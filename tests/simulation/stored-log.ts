import type { LogPlace } from '../../db/queries/room-bootstrap.ts';
import type { Claim } from '../../durable-objects/log/log-drain.ts';
import type { DrainAnswer } from '../../durable-objects/log/drain.ts';
import { isPoison } from './watch.ts';

export interface Place extends Claim {
  readonly drained_seq: number;
}

interface Event {
  readonly seq: number;
  readonly id: string;
}

/** It is refused for what is in it; a repetition cannot help. */
export class DataFault extends Error {}

/** What Postgres holds of one log, by the rules of `drain_conversation`, `drain_inbox` and their claims. */
export class StoredLog<E extends Event> {
  /** Without those it could not take. */
  readonly events: E[] = [];
  readonly poison = new Set<number>();
  /** What it lost in a restore, and the object did not hold any more: the log goes on behind it. */
  readonly holes = new Set<number>();
  /** Of its clock, from 1970 on. A backup is put back in a later one than that in which it was made. */
  minute = 1_000_000;
  #place: Place = { epoch: 1, fence: 0, drained_seq: 0 };
  /** The epoch in which each event was drained. */
  #epochs: number[] = [];

  get place(): Place {
    return this.#place;
  }

  /** @throws DataFault where one of the new events is poison; then nothing has happened. */
  drain(claim: Claim, batch: readonly E[]): DrainAnswer {
    const { drained_seq } = this.#place;
    if (this.#isFenced(claim)) return { status: 'fenced', drained_seq };
    const [first, last] = [batch[0]?.seq ?? 0, batch.at(-1)?.seq ?? 0];
    if (first > drained_seq + 1) return { status: 'gap', drained_seq };
    if (last <= drained_seq) return { status: 'ok', drained_seq };
    if (batch.some(({ seq }, index) => seq !== first + index)) return { status: 'gap', drained_seq };
    const fresh = batch.filter(({ seq }) => seq > drained_seq);
    if (fresh.some(isPoison)) throw new DataFault('an event is poison');
    this.events.push(...fresh);
    this.#move(claim, last);
    this.taken(fresh);
    return { status: 'ok', drained_seq: last };
  }

  skip(claim: Claim, seq: number): DrainAnswer {
    const { drained_seq } = this.#place;
    if (this.#isFenced(claim)) return { status: 'fenced', drained_seq };
    if (seq > drained_seq + 1) return { status: 'gap', drained_seq };
    if (seq <= drained_seq) return { status: 'ok', drained_seq };
    this.poison.add(seq);
    this.#move(claim, seq);
    return { status: 'ok', drained_seq: seq };
  }

  claimPlace(): Place {
    const { epoch, fence, drained_seq } = this.#place;
    this.#place = { epoch: fence > 0 || drained_seq > 0 ? Math.max(epoch + 1, this.minute) : epoch, fence: fence + 1, drained_seq };
    return this.#place;
  }

  findPlace(): LogPlace {
    return { ...this.#place, event_id: this.events.findLast(({ seq }) => seq === this.#place.drained_seq)?.id ?? null };
  }

  moveTo(found: LogPlace, { epoch, fence, drainedSeq }: Claim & { readonly drainedSeq: number }): boolean {
    const { epoch: atEpoch, fence: atFence, drained_seq } = this.#place;
    if (atEpoch !== found.epoch || atFence !== found.fence || drained_seq !== found.drained_seq) return false;
    for (let seq = drained_seq + 1; seq <= drainedSeq; seq += 1) this.holes.add(seq);
    this.#place = { epoch, fence, drained_seq: drainedSeq };
    return true;
  }

  between(after: number, before: number, limit: number): E[] {
    return this.events.filter(({ seq }) => seq > after && seq < before).slice(0, limit);
  }

  poisonBetween(after: number, before: number): number[] {
    return [...this.poison].filter((seq) => seq > after && seq < before);
  }

  /** The epoch in which this event was drained; 1 before the first. */
  epochAt(seq: number): number {
    return this.#epochs[seq - 1] ?? 1;
  }

  /** As it was when only `seq` events were drained: a backup was restored. */
  restore(seq: number): void {
    this.events.splice(this.events.findLastIndex((event) => event.seq <= seq) + 1);
    for (const gone of [this.poison, this.holes]) for (const at of gone) if (at > seq) gone.delete(at);
    this.#epochs = this.#epochs.slice(0, seq);
    this.minute += 1_000;
    this.#place = { epoch: this.epochAt(seq), fence: Math.max(1, this.#place.fence - 1), drained_seq: seq };
  }

  /** These are new in the tables. */
  protected taken(_events: readonly E[]): void {}

  #isFenced({ epoch, fence }: Claim): boolean {
    return this.#place.fence > fence || this.#place.epoch !== epoch;
  }

  #move({ epoch, fence }: Claim, drained_seq: number): void {
    while (this.#epochs.length < drained_seq) this.#epochs.push(epoch);
    this.#place = { epoch, fence, drained_seq };
  }
}
