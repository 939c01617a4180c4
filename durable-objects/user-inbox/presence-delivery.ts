import type { PresenceEvent } from '../../protocol/presence.ts';
import { backoffMs } from '../log/backoff.ts';
import type { PresenceNotice } from './presence-api.ts';
import { noticeOf, type PresenceTable } from './presence-table.ts';

/** Rooms that are called at a time. */
const CALLS = 16;

export interface DeliveryPorts {
  /** Epoch milliseconds. */
  clock(): number;
  /** In [0, 1). */
  random(): number;
  newId(now: number): string;
  /** False: nobody in the room looks any more. */
  tellRoom(channelId: string, notice: PresenceNotice): Promise<boolean>;
  /** Appends to `presence.events`. */
  log(event: PresenceEvent): Promise<void>;
  warn(message: string, fields: Readonly<Record<string, unknown>>): void;
}

interface Ports extends DeliveryPorts {
  /** All are told, or some could not be: try again at `retryAt`. */
  ended(): void;
}

/**
 * Brings the newest presence to the rooms that look, and to `presence.events`. It is state: what could not be told is told later as it is then, and what
 * was in between is told to nobody.
 */
export class PresenceDelivery {
  readonly #userId: string;
  readonly #table: PresenceTable;
  readonly #ports: Ports;
  #running = false;
  #attempt = 0;
  /** The last version that was tried: a newer one waits for no retry. */
  #tried = 0;
  #retryAt: number | null = null;

  constructor(userId: string, table: PresenceTable, ports: Ports) {
    this.#userId = userId;
    this.#table = table;
    this.#ports = ports;
  }

  /** When what failed is due again, in epoch milliseconds; null: nothing has. An instance that finds something untold begins at once. */
  get retryAt(): number | null {
    return this.#retryAt;
  }

  get isRunning(): boolean {
    return this.#running;
  }

  start(): void {
    if (this.#running) return;
    // Whom it could not tell may have stopped looking: a retry that is due and has nothing to do would be due for ever.
    if (!this.#isOwed()) this.#retryAt = null;
    else if (!this.#mustWait()) void this.#run();
  }

  #mustWait(): boolean {
    return this.#retryAt !== null && this.#retryAt > this.#ports.clock() && this.#tried === this.#table.row.told.version;
  }

  #isOwed(): boolean {
    const { told, loggedVersion } = this.#table.row;
    return loggedVersion < told.version || this.#table.untold().length > 0;
  }

  async #run(): Promise<void> {
    this.#running = true;
    this.#retryAt = null;
    let whole = true;
    while (whole && this.#isOwed()) whole = await this.#deliver();
    this.#running = false;
    this.#attempt = whole ? 0 : this.#attempt + 1;
    if (!whole) this.#retryAt = this.#ports.clock() + backoffMs(this.#attempt - 1, this.#ports.random());
    this.#ports.ended();
  }

  async #deliver(): Promise<boolean> {
    this.#tried = this.#table.row.told.version;
    return (await Promise.all([this.#tellRooms(), this.#log()])).every(Boolean);
  }

  async #tellRooms(): Promise<boolean> {
    const notice = noticeOf(this.#userId, this.#table.row.told);
    const waiting = this.#table.untold();
    let whole = true;
    while (waiting.length > 0) {
      const answers = await Promise.all(waiting.splice(0, CALLS).map((channelId) => this.#tellRoom(channelId, notice)));
      whole &&= answers.every(Boolean);
    }
    return whole;
  }

  async #tellRoom(channelId: string, notice: PresenceNotice): Promise<boolean> {
    try {
      if (await this.#ports.tellRoom(channelId, notice)) this.#table.markTold(channelId, notice.version);
      else this.#table.removeWatcher(channelId, notice.version);
      return true;
    } catch (error) {
      this.#ports.warn('a room could not be told of presence', { channel_id: channelId, error: String(error) });
      return false;
    }
  }

  async #log(): Promise<boolean> {
    const { told, loggedVersion } = this.#table.row;
    if (loggedVersion >= told.version) return true;
    const { state, status, at, version } = told;
    const event = { id: this.#ports.newId(at), type: 'presence.changed', at: new Date(at).toISOString(), user_id: this.#userId, state, status } as const;
    try {
      await this.#ports.log(event);
      this.#table.save({ loggedVersion: version });
      return true;
    } catch (error) {
      this.#ports.warn('presence could not be logged', { error: error instanceof Error ? `${error.name}: ${error.message}` : String(error) });
      return false;
    }
  }
}
