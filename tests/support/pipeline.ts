import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection, Sql } from '../../db/client.ts';
import { classifyPostgresError } from '../../db/errors.ts';
import { drainBatch } from '../../db/queries/drain.ts';
import type { ChannelEvent } from '../../protocol/events.ts';
import { type Acknowledgement, type Attempt, check, type Violation } from './checker.ts';
import { createConversation, EventWriter } from './conversation.ts';
import { type Account, unaccounted } from './effect-checker.ts';
import { readEffects } from './effects.ts';
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

export interface PipelineOptions {
  /** The clock of the rooms that write, by the number of the channel, in milliseconds since 1970. Default: this machine's. */
  readonly clockOf?: (channel: number) => () => number;
}

const GROUP = 'search-indexer';
/** A room's drain waits longer; a test has less time. Milliseconds. */
const REPEAT_MS = 250;

/** A steady load of messages into channels, drained into Postgres as rooms do it; and the verdict on where they got to. */
export class Pipeline {
  readonly #connection: Connection;
  readonly #channels: readonly Channel[];
  readonly #ending = new AbortController();
  #running: Promise<void> | null = null;
  /** What Postgres said when it took a batch not now, by SQLSTATE or the driver's code, and how often. */
  readonly refusals = new Map<string, number>();

  static async open(connection: Connection, channels: number, { clockOf }: PipelineOptions = {}): Promise<Pipeline> {
    const conversations = await Promise.all(Array.from({ length: channels }, () => createConversation(connection.sql)));
    return new Pipeline(
      connection,
      conversations.map(({ channelId, userId }, n) => ({ id: channelId, writer: new EventWriter(userId, clockOf?.(n)), attempts: [], acknowledged: [] })),
    );
  }

  private constructor(connection: Connection, channels: readonly Channel[]) {
    this.#connection = connection;
    this.#channels = channels;
  }

  /** Drains a few messages after the other into every channel, about `perSecond` in all, until `stop`. */
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
    for (const channel of this.#channels) await this.#send(channel, count);
  }

  /** Waits until the index was told as much of these channels as was acknowledged, and a moment more, for what may come too much. */
  async settle(withinMs: number): Promise<void> {
    let account = await this.account();
    await eventually(async () => (account = await this.account()).done >= this.acknowledged, withinMs, () => ({ acknowledged: this.acknowledged, ...account }));
    await sleep(500);
  }

  /** Every violation in tables, topic, effects and counts. `brokers`: where the topic is; null: nowhere. */
  async violations(brokers: string | null): Promise<Violation[]> {
    const topic = brokers === null ? null : await readTopics(brokers, new Set(this.#channels.map(({ id }) => id)));
    const found: Violation[] = unaccounted(await this.account());
    for (const channel of this.#channels) found.push(...(await this.#check(channel, topic && (topic.get(channel.id) ?? []))));
    return found;
  }

  /** What became of the records of these channels in the group of the index. */
  async account(): Promise<Account> {
    const { sql } = this.#connection;
    const ids = JSON.stringify(this.#channels.map(({ id }) => id));
    const [row] = await sql<[Account]>`
      WITH c AS (SELECT k.id::uuid AS id FROM json_array_elements_text(${ids}::text::json) AS k (id)),
        letters AS (SELECT d.status FROM dead_letters d JOIN c ON d.record_key = convert_to(c.id::text, 'UTF8') WHERE d.group_id = ${GROUP})
      SELECT (SELECT count(*)::integer FROM event_log e JOIN c ON e.key = c.id WHERE e.topic = 'message.events') AS in,
        (SELECT count(*)::integer FROM effects f JOIN c ON f.channel_id = c.id) AS done,
        (SELECT count(*)::integer FROM parked_records p JOIN c ON p.key = c.id WHERE p.group_id = ${GROUP} AND p.dead_letter_id IS NULL) AS parked,
        (SELECT count(*)::integer FROM letters l WHERE l.status IN ('pending', 'redriving')) AS dead,
        (SELECT count(*)::integer FROM letters l WHERE l.status = 'discarded') AS discarded`;
    return { ...row };
  }

  async #check({ id: channelId, attempts, acknowledged }: Channel, topic: readonly LogRecord[] | null): Promise<Violation[]> {
    const { db, sql } = this.#connection;
    const stores = await observeTables({ db, channelId });
    const bySeq = new Map(stores.log.map(({ event }) => [event.seq, event]));
    const effects = (await readEffects(sql, channelId)).map((seq) => bySeq.get(seq)).filter((event) => event !== undefined);
    return check({ ...stores, topic, attempts, acknowledged, readers: [{ name: 'effects', after: 0, events: effects }], head: attempts.length });
  }

  /** Each channel by itself, as rooms are: one that waits for Postgres holds up no other. */
  async #load(perSecond: number): Promise<void> {
    const each = 2;
    await Promise.all(
      this.#channels.map(async (channel) => {
        while (!this.#ending.signal.aborted) {
          await this.#send(channel, each);
          await sleep((1_000 * each * this.#channels.length) / perSecond);
        }
      }),
    );
  }

  async #send({ id, writer, attempts, acknowledged }: Channel, count: number): Promise<void> {
    const events = Array.from({ length: count }, () => writer.send());
    attempts.push(...events.map(({ actor_id: author_id, client_msg_id, text }) => ({ author_id, client_msg_id, text })));
    await this.#drain(id, events);
    acknowledged.push(...events.map(({ type, actor_id: author_id, message_id, seq }) => ({ type, author_id, message_id, seq })));
  }

  /** As a room does: what is not the data's fault is tried again, the same batch, until Postgres says that it has it. */
  async #drain(channelId: string, events: readonly ChannelEvent[]): Promise<void> {
    for (;;) {
      try {
        return await drain(this.#connection.sql, channelId, events);
      } catch (error) {
        if (classifyPostgresError(error) === 'data') throw error;
        const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
        this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1);
        await sleep(REPEAT_MS);
      }
    }
  }
}

class Refused extends Error {
  override readonly name = 'Refused';
  /** A state of SQL that no repetition helps. */
  readonly code = 'P0001';
}

async function drain(sql: Sql, channelId: string, events: readonly ChannelEvent[]): Promise<void> {
  const { status } = await drainBatch(sql, { channelId, epoch: 1, fence: 1, eventsJson: JSON.stringify(events) });
  if (status !== 'ok') throw new Refused(`the drain says ${status}`);
}
