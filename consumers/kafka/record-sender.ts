import { type Kafka, type Message, Partitioners, type Producer } from 'kafkajs';

export interface OutgoingRecord {
  readonly topic: string;
  readonly key: Buffer | string | null;
  readonly value: Buffer | string | null;
  readonly headers: NonNullable<Message['headers']>;
}

/** Under the broker's default `message.max.bytes` (1,048,588) even if all of a request fell into one partition. */
const MOST_REQUEST_BYTES = 900_000;
const RECORD_OVERHEAD = 400;

/**
 * Sends records so that an acknowledgement means they are all in the log, each key in order: acks from all in-sync replicas, idempotent,
 * one request at a time, and a new producer after any that failed.
 *
 * The reason for the last: kafkajs 2.2.4, when one broker of a request fails and it tries again after a leader has moved, takes the other
 * broker's first answer for the moved partition's and reports a batch as sent that never was. So it must not try again by itself.
 */
export class RecordSender {
  readonly #kafka: Kafka;
  #producer: Producer | null = null;
  #sending: Promise<void> = Promise.resolve();

  constructor(kafka: Kafka) {
    this.#kafka = kafka;
  }

  /** Resolves when all are acknowledged. Rejects at the first request that is not: what came before it has arrived, it itself may have. */
  send(records: readonly OutgoingRecord[]): Promise<void> {
    const sent = this.#sending.then(() => this.#sendAll(records));
    this.#sending = sent.catch(() => {});
    return sent;
  }

  /** `hard`: cuts off what is being sent. */
  async close(hard: boolean): Promise<void> {
    if (!hard) await this.#sending;
    await this.#discard();
  }

  async #sendAll(records: readonly OutgoingRecord[]): Promise<void> {
    for (const request of cutBySize(records)) await this.#sendOne(request);
  }

  async #sendOne(records: readonly OutgoingRecord[]): Promise<void> {
    try {
      const producer = await this.#connected();
      await producer.sendBatch({ acks: -1, timeout: 10_000, topicMessages: byTopic(records) });
    } catch (error) {
      await this.#discard();
      throw error;
    }
  }

  async #connected(): Promise<Producer> {
    if (this.#producer !== null) return this.#producer;
    this.#producer = this.#kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: Partitioners.DefaultPartitioner,
      // kafkajs refuses 0 retries of an idempotent producer. NaN passes that check and stops every second try: no number is below it.
      retry: { retries: Number.NaN },
    });
    await this.#producer.connect();
    return this.#producer;
  }

  async #discard(): Promise<void> {
    const producer = this.#producer;
    this.#producer = null;
    await producer?.disconnect().catch(() => {});
  }
}

/** Cuts records into requests that a broker takes. */
function* cutBySize(records: readonly OutgoingRecord[]): Generator<OutgoingRecord[]> {
  let request: OutgoingRecord[] = [];
  let bytes = 0;
  for (const record of records) {
    const size = (record.value === null ? 0 : Buffer.byteLength(record.value)) + RECORD_OVERHEAD;
    if (bytes + size > MOST_REQUEST_BYTES && request.length > 0) {
      yield request;
      request = [];
      bytes = 0;
    }
    request.push(record);
    bytes += size;
  }
  if (request.length > 0) yield request;
}

function byTopic(records: readonly OutgoingRecord[]): { topic: string; messages: Message[] }[] {
  const topics = new Map<string, Message[]>();
  for (const { topic, key, value, headers } of records) {
    const messages = topics.get(topic) ?? [];
    messages.push({ key, value, headers });
    topics.set(topic, messages);
  }
  return [...topics].map(([topic, messages]) => ({ topic, messages }));
}
