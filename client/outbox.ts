import type { CommandResult } from '../protocol/frames.ts';
import { backoffMs } from './backoff.ts';
import { QueueFullError, isRetryable, retryAfterMs } from './errors.ts';
import type { Clock, KeyValueStore, Owner, Random } from './ports.ts';
import { filesOf, type Unsent, UnsentMessages } from './unsent.ts';

/** Most messages of one channel that are not sent yet; further ones are refused with `QueueFullError`. */
const MAX_ENTRIES = 100;
/** Attempts answered with an error that may pass; then the message is `failed` and waits for its author. */
const MAX_ATTEMPTS = 5;
/** A message found again after this long is not sent unasked. */
const STALE_AFTER_MS = 10 * 60_000;

/**
 *     queued ──▶ sending ──▶ sent ──▶ (gone, once its event is applied)
 *       ▲          │ refused, or five times no
 *       └─ retry ─ failed ─ discard ─▶ (gone)
 */
export interface OutboxEntry extends Unsent {
  readonly state: 'queued' | 'sending' | 'failed' | 'sent';
  /** The event that made it, once sent and known. */
  readonly seq: number | null;
  /** Why it failed, in words. */
  readonly reason: string | null;
}

/** A message as it is sent. */
export interface Outgoing {
  readonly client_msg_id: string;
  readonly text: string;
  readonly thread_id?: string;
  readonly file_ids?: string[];
}

export interface OutboxOptions {
  /** Sends once and gives the result, or throws. Called for one message at a time. */
  readonly send: (message: Outgoing) => Promise<CommandResult>;
  readonly changed: (entries: readonly OutboxEntry[]) => void;
  /** Up to which `seq` the channel is known. */
  readonly knownSeq: () => number;
  /** Where unsent messages are kept, and under which prefix. */
  readonly store: KeyValueStore;
  readonly prefix: string;
  readonly owner: Owner;
  readonly newId: () => string;
  readonly clock: Clock;
  readonly random: Random;
}

/** The messages of one channel on their way out: each is sent once (G2, by `client_msg_id`), in the order they were written. */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #unsent: UnsentMessages;
  #entries: readonly OutboxEntry[] = [];
  #inheriting: Promise<void> = Promise.resolve();
  #pumping = false;
  #stopped = false;
  #lastQueuedAt = 0;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#unsent = new UnsentMessages(options);
  }

  get entries(): readonly OutboxEntry[] {
    return this.#entries;
  }

  /** Whether anything is on its way, or waits to be. */
  get isBusy(): boolean {
    return this.#entries.some(({ state }) => state === 'queued' || state === 'sending');
  }

  /** Sends what an earlier run, or a page that is gone, left unsent. To be called again now and then: pages go at any time. */
  start(): void {
    this.#inheriting = this.#inheriting.then(() => this.#inherit());
    void this.#pump();
  }

  /** For good; what is unsent stays in the store. */
  stop(): void {
    this.#stopped = true;
  }

  add(text: string, threadId: string | null, fileIds: readonly string[] = []): OutboxEntry {
    if (this.#entries.length >= MAX_ENTRIES) throw new QueueFullError('Too many messages wait to be sent');
    const entry = queued({ client_msg_id: this.#options.newId(), text, thread_id: threadId, ...filesOf(fileIds), queued_at: this.#queuedAt() });
    this.#keep(entry);
    this.#set([...this.#entries, entry]);
    void this.#pump();
    return entry;
  }

  /** Puts a failed message at the end of the queue, under its old id. */
  retry(id: string): void {
    const entry = this.#find(id, 'failed');
    if (!entry) return;
    const again = queued({ ...entry, queued_at: this.#queuedAt() });
    this.#keep(again);
    this.#set([...this.#entries.filter((other) => other !== entry), again]);
    void this.#pump();
  }

  discard(id: string): void {
    if (this.#find(id, 'failed') ?? this.#find(id, 'queued')) this.#drop(id);
  }

  /** The channel is known up to `seq`, and these are its new messages of one's own: what they confirm need not be shown any more. */
  applied(seq: number, clientMsgIds: ReadonlySet<string>): void {
    for (const id of clientMsgIds) this.#release(id);
    const left = this.#entries.filter((entry) => !clientMsgIds.has(entry.client_msg_id) && !(entry.seq !== null && entry.seq <= seq));
    if (left.length !== this.#entries.length) this.#set(left);
  }

  /** The log began anew: whether it has what was confirmed is open, so that is sent once more, under its id (G1, G2). */
  resend(): void {
    const confirmed = this.#entries.filter(({ state }) => state === 'sent');
    if (confirmed.length === 0) return;
    for (const entry of confirmed) this.#keep(entry);
    this.#set(this.#entries.map((entry) => (entry.state === 'sent' ? queued(entry) : entry)));
    void this.#pump();
  }

  async #pump(): Promise<void> {
    if (this.#pumping) return;
    this.#pumping = true;
    await this.#inheriting;
    for (let next = this.#next(); next && !this.#stopped; next = this.#next()) await this.#deliver(next);
    this.#pumping = false;
  }

  /** What was left comes before what is new. */
  async #inherit(): Promise<void> {
    const left = await this.#unsent.inherit(MAX_ENTRIES - this.#entries.length);
    if (left.length === 0 || this.#stopped) return;
    const now = this.#options.clock.now();
    this.#set([...left.map((unsent) => restored(unsent, now)), ...this.#entries]);
  }

  #next(): OutboxEntry | undefined {
    return this.#entries.find(({ state }) => state === 'queued');
  }

  async #deliver({ client_msg_id, text, thread_id, file_ids }: OutboxEntry): Promise<void> {
    const message = { client_msg_id, text, ...(thread_id !== null && { thread_id }), ...filesOf(file_ids) };
    for (let attempt = 0; !this.#stopped && this.#has(client_msg_id); attempt += 1) {
      this.#update(client_msg_id, { state: 'sending' });
      try {
        return this.#sent(client_msg_id, await this.#options.send(message));
      } catch (error) {
        if (this.#stopped) return;
        if (attempt + 1 >= MAX_ATTEMPTS || !isRetryable(error)) return this.#update(client_msg_id, { state: 'failed', reason: reasonOf(error) });
        await this.#pause(attempt, error);
      }
    }
  }

  #pause(attempt: number, error: unknown): Promise<void> {
    const { clock, random } = this.#options;
    const ms = Math.max(retryAfterMs(error), backoffMs('jitter', attempt, random));
    return new Promise((resolve) => void clock.after(ms, resolve));
  }

  #sent(id: string, { seq }: CommandResult): void {
    this.#release(id);
    if (seq === null || seq <= this.#options.knownSeq()) this.#drop(id);
    else this.#update(id, { state: 'sent', seq });
  }

  /** Strictly rising, so that the order survives in the store. */
  #queuedAt(): number {
    this.#lastQueuedAt = Math.max(this.#options.clock.now(), this.#lastQueuedAt + 1);
    return this.#lastQueuedAt;
  }

  #find(id: string, state: OutboxEntry['state']): OutboxEntry | undefined {
    return this.#entries.find((entry) => entry.client_msg_id === id && entry.state === state);
  }

  #has(id: string): boolean {
    return this.#entries.some((entry) => entry.client_msg_id === id);
  }

  #update(id: string, changes: Partial<OutboxEntry>): void {
    if (this.#has(id)) this.#set(this.#entries.map((entry) => (entry.client_msg_id === id ? { ...entry, ...changes } : entry)));
  }

  #drop(id: string): void {
    this.#release(id);
    this.#set(this.#entries.filter((entry) => entry.client_msg_id !== id));
  }

  #set(entries: readonly OutboxEntry[]): void {
    this.#entries = entries;
    this.#options.changed(entries);
  }

  #keep({ client_msg_id, text, thread_id, file_ids, queued_at }: OutboxEntry): void {
    this.#unsent.keep({ client_msg_id, text, thread_id, ...filesOf(file_ids), queued_at });
  }

  #release(id: string): void {
    this.#unsent.release(id);
  }
}

function queued(unsent: Unsent): OutboxEntry {
  return { ...unsent, state: 'queued', seq: null, reason: null };
}

function restored(unsent: Unsent, now: number): OutboxEntry {
  const entry = queued(unsent);
  return now - unsent.queued_at < STALE_AFTER_MS ? entry : { ...entry, state: 'failed', reason: 'It was not sent in time' };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
