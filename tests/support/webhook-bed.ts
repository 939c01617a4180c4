import { randomBytes } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { uuidv7 } from 'uuidv7';
import { z } from 'zod';
import type { Sql } from '../../db/client.ts';
import { drainBatch } from '../../db/queries/drain.ts';
import type { ChannelEvent } from '../../protocol/events.ts';
import { type WebhookPayload, webhookEventTypeSchema, webhookPayloadSchema } from '../../protocol/webhooks.ts';

export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** What an endpoint answers; null: nothing, ever. */
export type Answer = { readonly status: number; readonly headers?: Readonly<Record<string, string>> } | null;

/** An endpoint under the test's control, by real HTTP. */
export class Receiver {
  readonly received: Received[] = [];
  /** Requests that are open at this moment, and the most there ever were. */
  open = 0;
  mostOpen = 0;
  answer: (received: Received, nth: number) => Answer | Promise<Answer> = () => ({ status: 204 });
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      this.open += 1;
      this.mostOpen = Math.max(this.mostOpen, this.open);
      response.once('close', () => (this.open -= 1));
      let body = '';
      request.setEncoding('utf8');
      request.on('data', (text: string) => (body += text));
      request.on('end', () => void this.#take({ path: request.url ?? '', headers: request.headers, body }, (status, headers) => response.writeHead(status, headers).end()));
    });
  }

  static async listen(port = 0): Promise<Receiver> {
    const receiver = new Receiver();
    await new Promise<void>((resolve) => receiver.#server.listen(port, '127.0.0.1', resolve));
    return receiver;
  }

  async #take(received: Received, end: (status: number, headers: Readonly<Record<string, string>>) => void): Promise<void> {
    this.received.push(received);
    const answer = await this.answer(received, this.received.length);
    if (answer !== null) end(answer.status, answer.headers ?? {});
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  url(path = '/'): string {
    return `http://127.0.0.1:${this.port}${path}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const idSchema = z.string();
export const idOf = ({ headers }: Received): string => idSchema.parse(headers['webhook-id']);

/** What came, verified with the official library. */
export function verified(secret: Uint8Array, { body, headers }: Received): WebhookPayload {
  const named = { 'webhook-id': String(headers['webhook-id']), 'webhook-timestamp': String(headers['webhook-timestamp']), 'webhook-signature': String(headers['webhook-signature']) };
  return webhookPayloadSchema.parse(new Webhook(`whsec_${Buffer.from(secret).toString('base64')}`).verify(body, named));
}

export async function insertUser(sql: Sql): Promise<string> {
  const id = uuidv7();
  await sql`INSERT INTO users (id, issuer, subject, handle, display_name) VALUES (${id}, 'test', ${id}, ${id}, 'Somebody')`;
  return id;
}

export async function insertChannel(sql: Sql, members: readonly string[], kind: 'public' | 'private' = 'private'): Promise<string> {
  const id = uuidv7();
  await sql`INSERT INTO channels (id, kind, name, created_by, members_version) VALUES (${id}, ${kind}, ${id}, ${members[0] ?? ''}, ${members.length})`;
  await sql`INSERT INTO conversation_logs (channel_id) VALUES (${id})`;
  for (const [n, user] of members.entries()) await sql`INSERT INTO members (channel_id, user_id, version) VALUES (${id}, ${user}, ${n + 1})`;
  return id;
}

export interface TestWebhook {
  readonly id: string;
  readonly secret: Uint8Array;
}

interface Wishes {
  readonly channelId?: string | null;
  readonly types?: readonly string[];
  readonly createdAt?: Date;
}

/** As the API makes it. */
export async function insertWebhook(sql: Sql, ownerId: string, url: string, { channelId = null, types = webhookEventTypeSchema.options, createdAt = new Date(0) }: Wishes = {}): Promise<TestWebhook> {
  const [id, secret] = [uuidv7(), randomBytes(32)];
  await sql`
    INSERT INTO webhooks (id, owner_id, channel_id, url, host, event_types, secret, created_at)
    VALUES (${id}, ${ownerId}, ${channelId}, ${url}, ${new URL(url).host}, ARRAY(SELECT json_array_elements_text(${JSON.stringify(types)}::text::json)), ${secret}, ${createdAt.toISOString()}::timestamptz)`;
  return { id, secret };
}

/** Into the event log, as a room's drain does it. */
export async function drain(sql: Sql, channelId: string, events: readonly ChannelEvent[]): Promise<void> {
  const answer = await drainBatch(sql, { channelId, epoch: 1, fence: 1, eventsJson: JSON.stringify(events) });
  if (answer.status !== 'ok') throw new Error(answer.status);
}

export interface DeliveryRow {
  readonly event_id: string;
  readonly status: string;
  readonly attempts: number;
  readonly failure: string | null;
  readonly last_status: number | null;
  /** Epoch milliseconds. */
  readonly next_at: number;
}

export async function readDeliveries(sql: Sql, webhookId: string): Promise<DeliveryRow[]> {
  const rows = await sql<DeliveryRow[]>`
    SELECT d.event_id::text, d.status, d.attempts, d.failure, d.last_status, (extract(epoch FROM d.next_at) * 1000)::float8 AS next_at
    FROM webhook_deliveries d WHERE d.webhook_id = ${webhookId} ORDER BY d.number`;
  return rows.map((row) => ({ ...row }));
}

export async function readState(sql: Sql, webhookId: string): Promise<{ state: string; disabled_reason: string | null; failures: number }> {
  const [row] = await sql<[{ state: string; disabled_reason: string | null; failures: number }]>`SELECT state, disabled_reason, failures FROM webhooks WHERE id = ${webhookId}`;
  return { ...row };
}
