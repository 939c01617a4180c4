import { uuidv7 } from 'uuidv7';
import type { Sql } from '../../db/client.ts';
import { drainBatch } from '../../db/queries/drain.ts';
import { type ChannelEvent, channelEventSchema } from '../../protocol/events.ts';

interface Sent {
  readonly id: string;
  readonly author: string;
  readonly thread: string | null;
}

/** A room as Postgres sees it: its events, drained one by one. */
export class StoredRoom {
  readonly id = uuidv7();
  readonly sent: Sent[] = [];
  /** Everything that was said, in order. */
  readonly events: ChannelEvent[] = [];
  pos = 0;
  readonly #sql: Sql;
  readonly #tpos = new Map<string, number>();
  #seq = 0;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  async send(author: string, text: string, thread: string | null = null, origin: object | null = null, at = new Date(), id = uuidv7()): Promise<string> {
    const tpos = thread === null ? null : (this.#tpos.get(thread) ?? 0) + 1;
    if (thread !== null && tpos !== null) this.#tpos.set(thread, tpos);
    if (thread === null) this.pos += 1;
    const pos = thread === null ? this.pos : null;
    await this.#drain({ type: 'message.created', actor_id: author, message_id: id, client_msg_id: id, text, pos, thread_id: thread, tpos, origin }, at);
    this.sent.push({ id, author, thread });
    return id;
  }

  edit = async (author: string, message_id: string, text: string, revision: number): Promise<ChannelEvent> => await this.#drain({ type: 'message.edited', actor_id: author, message_id, text, revision });

  delete = ({ author, id, thread }: Sent): Promise<ChannelEvent> => this.#drain({ type: 'message.deleted', actor_id: author, message_id: id, thread_id: thread });

  async #drain(body: object, at = new Date()): Promise<ChannelEvent> {
    this.#seq += 1;
    const event = channelEventSchema.parse({ ...body, seq: this.#seq, id: uuidv7(), at: at.toISOString() });
    const answer = await drainBatch(this.#sql, { channelId: this.id, epoch: 1, fence: 1, eventsJson: JSON.stringify([event]) });
    if (answer.status !== 'ok') throw new Error(answer.status);
    this.events.push(event);
    return event;
  }
}
