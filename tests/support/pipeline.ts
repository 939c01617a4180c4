import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection, Sql } from '../../db/client.ts';
import { drainBatch } from '../../db/queries/drain.ts';
import { type Acknowledgement, type Attempt, check, type Violation } from './checker.ts';
import { createConversation, EventWriter } from './conversation.ts';
import { countEffects, readEffects } from './effects.ts';
import { eventually } from './event-log.ts';
import type { LogRecord } from './fold.ts';
import { observeTables } from './observe.ts';
import { readTopics } from './topic.ts';

interface Channel {
  readonly id: string;
  readonly writer: EventWriter;
  readonly attempts: Attempt[];
  readonly acknowledged: Acknowledgement[];
}

/** A steady load of messages into channels, drained into Postgres as rooms do it; and the verdict on where they got to. */
export class Pipeline {
  readonly #connection: Connection;
  readonly #channels: readonly Channel[];
  readonly #ending = new AbortController();
  #running: Promise<void> | null = null;

  static async open(connection: Connection, channels: number): Promise<Pipeline> {
    const conversations = await Promise.all(Array.from({ length: channels }, () => createConversation(connection.sql)));
    return new Pipeline(
      connection,
      conversations.map(({ channelId, userId }) => ({ id: channelId, writer: new EventWriter(userId), attempts: [], acknowledged: [] })),
    );
  }

  private constructor(connection: Connection, channels: readonly Channel[]) {
    this.#connection = connection;
    this.#channels = channels;
  }

  /** Drains a few messages into every channel in turn, about `perSecond` in all, until `stop`. */
  start(perSecond: number): void {
    this.#running = this.#load(perSecond);
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    await this.#running;
  }

  get acknowledged(): number {
    return this.#channels.reduce((sum, { acknowledged }) => sum + acknowledged.length, 0);
  }

  /** Drains `count` messages into every channel. */
  async burst(count: number): Promise<void> {
    for (const channel of this.#channels) await send(this.#connection.sql, channel, count);
  }

  /** Waits until the index was told as much as was acknowledged, and a moment more, for what may come too much. */
  async settle(withinMs: number): Promise<void> {
    const { sql } = this.#connection;
    await eventually(async () => (await countEffects(sql)) >= this.acknowledged, withinMs, () => ({ acknowledged: this.acknowledged }));
    await sleep(500);
  }

  /** Every violation in tables, topic and effects. `brokers`: where the topic is; null: nowhere. */
  async violations(brokers: string | null): Promise<Violation[]> {
    const topic = brokers === null ? null : await readTopics(brokers, new Set(this.#channels.map(({ id }) => id)));
    const found: Violation[] = [];
    for (const channel of this.#channels) found.push(...(await this.#check(channel, topic && (topic.get(channel.id) ?? []))));
    return found;
  }

  async #check({ id: channelId, attempts, acknowledged }: Channel, topic: readonly LogRecord[] | null): Promise<Violation[]> {
    const { db, sql } = this.#connection;
    const stores = await observeTables({ db, channelId });
    const bySeq = new Map(stores.log.map(({ event }) => [event.seq, event]));
    const effects = (await readEffects(sql, channelId)).map((seq) => bySeq.get(seq)).filter((event) => event !== undefined);
    return check({ ...stores, topic, attempts, acknowledged, readers: [{ name: 'effects', after: 0, events: effects }], head: attempts.length });
  }

  async #load(perSecond: number): Promise<void> {
    const each = 2;
    for (let turn = 0; !this.#ending.signal.aborted; turn += 1) {
      const channel = this.#channels[turn % this.#channels.length];
      if (channel !== undefined) await send(this.#connection.sql, channel, each);
      await sleep((1_000 * each) / perSecond);
    }
  }
}

async function send(sql: Sql, { id: channelId, writer, attempts, acknowledged }: Channel, count: number): Promise<void> {
  const events = Array.from({ length: count }, () => writer.send());
  attempts.push(...events.map(({ actor_id: author_id, client_msg_id, text }) => ({ author_id, client_msg_id, text })));
  const { status } = await drainBatch(sql, { channelId, epoch: 1, fence: 1, eventsJson: JSON.stringify(events) });
  if (status !== 'ok') throw new Error(`the drain says ${status}`);
  acknowledged.push(...events.map(({ type, actor_id: author_id, message_id, seq }) => ({ type, author_id, message_id, seq })));
}
