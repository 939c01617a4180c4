import { createDecipheriv, createECDH, createPublicKey, type ECDH, hkdfSync, randomBytes } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type JWTPayload, jwtVerify } from 'jose';
import { uuidv7 } from 'uuidv7';
import webPush from 'web-push';
import type { VapidKeys } from '../../consumers/notification-sender/web-push.ts';
import type { Sql } from '../../db/client.ts';
import { notePushes } from '../../db/queries/push-sending.ts';
import type { NoticeReason } from '../../protocol/notifications.ts';
import { type PushPayload, pushPayloadSchema } from '../../protocol/push.ts';
import { insertUser } from './webhook-bed.ts';

export const newVapidKeys = (): VapidKeys => ({ subject: 'mailto:operator@colink.example', ...webPush.generateVAPIDKeys() });

/** A browser's part of Web Push: its keys, and what it makes of a push (RFC 8291, by Node's own cryptography). */
export class Browser {
  readonly auth = randomBytes(16);
  readonly #keys: ECDH = createECDH('prime256v1');
  readonly p256dh = this.#keys.generateKeys();

  decrypt(body: Buffer): PushPayload {
    const [salt, keyLength] = [body.subarray(0, 16), body.readUInt8(20)];
    const sender = body.subarray(21, 21 + keyLength);
    const sealed = body.subarray(21 + keyLength);
    const info = Buffer.concat([Buffer.from('WebPush: info\0'), this.p256dh, sender]);
    const key = Buffer.from(hkdfSync('sha256', this.#keys.computeSecret(sender), this.auth, info, 32));
    const derive = (name: string, bytes: number): Buffer => Buffer.from(hkdfSync('sha256', key, salt, `Content-Encoding: ${name}\0`, bytes));
    const cipher = createDecipheriv('aes-128-gcm', derive('aes128gcm', 16), derive('nonce', 12)).setAuthTag(sealed.subarray(-16));
    const plain = Buffer.concat([cipher.update(sealed.subarray(0, -16)), cipher.final()]);
    // One record: its last byte that is not 0 is 2.
    const end = plain.findLastIndex((byte) => byte !== 0);
    if (plain[end] !== 2) throw new Error('there is no end of the last record');
    return pushPayloadSchema.parse(JSON.parse(plain.subarray(0, end).toString('utf8')));
  }
}

export interface ReceivedPush {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** What a push service answers; null: nothing, ever. */
export type PushAnswer = { readonly status: number; readonly headers?: Readonly<Record<string, string>> } | null;

/** A push service, by real HTTP. */
export class PushServer {
  readonly received: ReceivedPush[] = [];
  answer: (received: ReceivedPush, nth: number) => PushAnswer | Promise<PushAnswer> = () => ({ status: 201 });
  readonly #server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => void this.#take({ path: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks) }, (answer) => response.writeHead(answer.status, answer.headers ?? {}).end()));
  });

  static async listen(port = 0): Promise<PushServer> {
    const server = new PushServer();
    await new Promise<void>((resolve) => server.#server.listen(port, '127.0.0.1', resolve));
    return server;
  }

  async #take(received: ReceivedPush, end: (answer: Exclude<PushAnswer, null>) => void): Promise<void> {
    this.received.push(received);
    const answer = await this.answer(received, this.received.length);
    if (answer !== null) end(answer);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** What the server says of itself with a push, verified with the key that it says it has (RFC 8292). */
export async function verifiedVapid({ headers }: ReceivedPush): Promise<{ readonly key: string; readonly claims: JWTPayload }> {
  const [, token = '', key = ''] = /^vapid t=([\w.-]+), ?k=([\w-]+)$/.exec(headers.authorization ?? '') ?? [];
  const point = Buffer.from(key, 'base64url');
  const jwk = { kty: 'EC', crv: 'P-256', x: point.subarray(1, 33).toString('base64url'), y: point.subarray(33).toString('base64url') };
  const { payload } = await jwtVerify(token, createPublicKey({ key: jwk, format: 'jwk' }), { algorithms: ['ES256'] });
  return { key, claims: payload };
}

/** A user with a session. */
export async function insertPerson(sql: Sql): Promise<{ readonly id: string; readonly credentialId: string }> {
  const [id, credentialId] = [await insertUser(sql), uuidv7()];
  await sql`
    INSERT INTO credentials (id, secret_hash, kind, user_id, name, scopes, expires_at)
    VALUES (${credentialId}, ${randomBytes(32)}, 'session', ${id}, 'test', '{}', now() + interval '1 day')`;
  await sql`INSERT INTO inbox_logs (user_id) VALUES (${id}) ON CONFLICT DO NOTHING`;
  return { id, credentialId };
}

export interface TestSubscription {
  readonly id: string;
  readonly browser: Browser;
  readonly path: string;
}

/** As the API makes it. */
export async function insertSubscription(sql: Sql, { id: userId, credentialId }: { readonly id: string; readonly credentialId: string }, origin: string): Promise<TestSubscription> {
  const [id, browser] = [uuidv7(), new Browser()];
  const path = `/push/${id}`;
  await sql`
    INSERT INTO push_subscriptions (id, user_id, credential_id, endpoint, host, p256dh, auth, created_at)
    VALUES (${id}, ${userId}, ${credentialId}, ${origin + path}, ${new URL(origin).host}, ${browser.p256dh}, ${browser.auth}, now() - interval '1 minute')`;
  return { id, browser, path };
}

export interface NoticeWishes {
  readonly userId: string;
  readonly seq: number;
  readonly authorId: string;
  readonly channelId: string;
  readonly messageId: string;
  readonly pos: number;
  readonly reason?: NoticeReason;
  readonly at?: Date;
  readonly quiet?: boolean;
}

/** As an inbox's drain stores it, and as the notifier notes it, but to be sent at once. Returns the notice's id. */
export async function insertNotice(sql: Sql, { userId, seq, authorId, channelId, messageId, pos, reason = 'mention', at = new Date(), quiet = false }: NoticeWishes): Promise<string> {
  const id = uuidv7();
  await sql`
    INSERT INTO notifications (user_id, seq, id, reason, channel_id, message_id, author_id, pos, thread_id, quiet, created_at)
    VALUES (${userId}, ${seq}, ${id}, ${reason}, ${channelId}, ${messageId}, ${authorId}, ${pos}, NULL, ${quiet}, ${at.toISOString()}::timestamptz)`;
  await notePushes(sql, [{ id, user_id: userId, seq, at: at.toISOString() }], 0);
  return id;
}
