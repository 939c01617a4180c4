import type { CloseCode } from '../../protocol/close-codes.ts';
import type { Batch, BatchAnswer, Telling } from '../fanout-node/node-api.ts';
import type { FanoutLog } from '../sockets/fanout-log.ts';
import type { Whose } from '../sockets/whose.ts';
import type { StoredNode } from './node-table.ts';
import type { LogHead } from './room-api.ts';

/** What one batch carries at most; one event may exceed the bytes. */
const BATCH_EVENTS = 500;
const BATCH_BYTES = 512 * 1024;
/** A node that is further behind is told where the log stands, and no events: its sockets read on as they can. */
const FAR_BEHIND = 5_000;
/** Attempts in a row, after which the room no longer stays awake for a node that cannot be reached. */
const MOST_ATTEMPTS = 6;
const FIRST_RETRY_MS = 100;
/** A placed socket that has not come by then is not coming. */
const ON_THE_WAY_MS = 10_000;
/** How long a node is kept that has no sockets. */
const EMPTY_MS = 60_000;

/** One node, by RPC. All reject when it cannot be reached. */
export interface NodeStub {
  publish(batch: Batch): Promise<BatchAnswer>;
  tell(telling: Telling): Promise<void>;
  closeWhere(whose: Whose, code: CloseCode, reason: string): Promise<void>;
}

export interface NodeLinkPorts {
  clock(): number;
  /** In [0, 1). */
  random(): number;
  schedule(ms: number, task: () => void): void;
  /** A fresh stub each time: one whose object was aborted stays broken. */
  stub(): NodeStub;
  failed(error: unknown, attempts: number): void;
  /** It may have sockets of who has no access any more, or has no longer; kept durably. */
  trusted(isTrusted: boolean): void;
}

/**
 * A node as the room sees it: a cursor over its log, like a socket. One call is under way at most; what is appended meanwhile leaves with the next, and
 * the next comes no sooner than the node would send it. The count of its sockets is what it said last, and who was placed since. One that could not be told
 * whose sockets to close is told nothing more before it has closed all it has: whoever has access comes back, and is admitted anew (G5).
 */
export class NodeLink {
  readonly node: number;
  readonly #log: FanoutLog;
  readonly #ports: NodeLinkPorts;
  /** All it has been told; null: it is not known. */
  #told: LogHead | null;
  #busy = false;
  #attempts = 0;
  /** Closings that it may not have heard of. */
  #unheard: number;
  #counted: number | null;
  #onTheWay = 0;
  #admitted = 0;
  #placedAt = 0;
  /** When it last had a socket, or may have had. */
  #usedAt: number;

  constructor({ node, told, isTrusted }: StoredNode, sockets: number | null, log: FanoutLog, ports: NodeLinkPorts) {
    this.node = node;
    this.#told = told;
    this.#unheard = isTrusted ? 0 : 1;
    this.#counted = sockets;
    this.#log = log;
    this.#ports = ports;
    this.#usedAt = ports.clock();
  }

  /** What it has been told, if that is everything; or null. */
  get settled(): LogHead | null {
    return this.#isTold() ? this.#told : null;
  }

  /** It could not be reached for so long that nobody is trying any more. */
  get isLost(): boolean {
    return this.#attempts >= MOST_ATTEMPTS;
  }

  /** How many sockets it has, those on their way to it included; null: it has not said yet. */
  get sockets(): number | null {
    if (this.#counted === null) return null;
    return this.#counted + this.#admitted + this.#coming;
  }

  get isUnused(): boolean {
    return this.sockets === 0 && this.#ports.clock() - this.#usedAt > EMPTY_MS;
  }

  /** A socket was sent there. */
  place(): void {
    this.#onTheWay = this.#coming + 1;
    this.#placedAt = this.#usedAt = this.#ports.clock();
  }

  /** One that was sent there has arrived, and may stay. */
  admit(): void {
    this.#onTheWay = Math.max(0, this.#onTheWay - 1);
    this.#admitted += 1;
    this.#usedAt = this.#ports.clock();
  }

  /** Tells the node what is new, unless it is being told. */
  publish(): void {
    if (this.#busy || this.#isTold()) return;
    this.#busy = true;
    void this.#tell();
  }

  /** As `publish`, to a node that could not be reached. */
  retry(): void {
    this.#attempts = 0;
    this.publish();
  }

  /** Asks how many sockets it has. Rejects when it cannot be reached. */
  async count(): Promise<void> {
    const { epoch, seq } = this.#log.state;
    const after = this.#told?.epoch === epoch ? this.#told.seq : seq;
    await this.#call({ epoch, after, events: [], head: seq });
  }

  /** False: it could not be reached. */
  async tell(telling: Telling): Promise<boolean> {
    try {
      await this.#ports.stub().tell(telling);
      return true;
    } catch {
      return false;
    }
  }

  /** Resolves once the node has closed them. Tried twice, then rejects. */
  async closeWhere(whose: Whose, code: CloseCode, reason: string): Promise<void> {
    try {
      await this.#ports.stub().closeWhere(whose, code, reason);
    } catch {
      await this.#ports.stub().closeWhere(whose, code, reason).catch((error: unknown) => this.#unheardOf(error));
    }
  }

  #unheardOf(error: unknown): never {
    this.#unheard += 1;
    this.#ports.trusted(false);
    this.publish();
    throw error;
  }

  async #closeAll(): Promise<void> {
    const unheard = this.#unheard;
    await this.#ports.stub().closeWhere('everybody', 1012, 'the channel could not reach this part of it');
    this.#unheard -= unheard;
    if (this.#unheard === 0) this.#ports.trusted(true);
  }

  async #tell(): Promise<void> {
    try {
      if (this.#unheard > 0) await this.#closeAll();
      const batch = this.#nextBatch();
      const { pause } = await this.#call(batch);
      this.#attempts = 0;
      this.#told = { epoch: batch.epoch, seq: batch.events.at(-1)?.seq ?? batch.after };
      if (pause >= 1) this.#ports.schedule(pause, () => this.#goOn());
      else this.#goOn();
    } catch (error) {
      this.#failed(error);
    }
  }

  #goOn(): void {
    this.#busy = false;
    this.publish();
  }

  #failed(error: unknown): void {
    this.#attempts += 1;
    this.#ports.failed(error, this.#attempts);
    if (this.isLost) this.#busy = false;
    else this.#ports.schedule(FIRST_RETRY_MS * 2 ** this.#attempts * (0.5 + this.#ports.random() / 2), () => this.#goOn());
  }

  async #call(batch: Batch): Promise<BatchAnswer> {
    const admitted = this.#admitted;
    const answer = await this.#ports.stub().publish(batch);
    this.#counted = answer.sockets;
    this.#admitted -= Math.min(admitted, this.#admitted);
    if (this.sockets !== 0) this.#usedAt = this.#ports.clock();
    return answer;
  }

  get #coming(): number {
    return this.#ports.clock() - this.#placedAt > ON_THE_WAY_MS ? 0 : this.#onTheWay;
  }

  #nextBatch(): Batch {
    const { epoch, seq: head } = this.#log.state;
    const told = this.#told;
    const isNear = told !== null && told.epoch === epoch && this.#log.retains(told.seq + 1) && head - told.seq <= FAR_BEHIND;
    if (!isNear) return { epoch, after: head, events: [], head };
    return { epoch, after: told.seq, events: this.#log.since(told.seq, BATCH_EVENTS, BATCH_BYTES), head };
  }

  #isTold(): boolean {
    const { epoch, seq } = this.#log.state;
    return this.#unheard === 0 && this.#told?.epoch === epoch && this.#told.seq === seq;
  }
}
