import { randomBytes } from 'node:crypto';
import { eq } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import { z } from 'zod';
import { insertCredential } from '../../db/queries/credentials.ts';
import { users } from '../../db/schema/tables.ts';
import { scopeSchema, SESSION_SCOPES } from '../../protocol/scopes.ts';
import { rawRequest } from './raw-http.ts';
import type { World, WorldUser } from './world.ts';

const HOUR_MS = 3_600_000;
export const madeSchema = z.looseObject({ id: z.string() });

/** Makes people and things, with nobody else in them. */
export class Bed {
  readonly world: World;
  #people = 0;

  constructor(world: World) {
    this.world = world;
  }

  async person(role: 'member' | 'admin' = 'member'): Promise<WorldUser> {
    const user = await this.world.user(`keyed-${++this.#people}`, { scopes: scopeSchema.options });
    if (role !== 'member') await this.world.db.update(users).set({ role }).where(eq(users.id, user.id));
    return user;
  }

  /** A private channel of a new owner and so many others. */
  async channel(others = 0): Promise<{ id: string; owner: WorldUser; others: WorldUser[] }> {
    const owner = await this.person();
    const { id } = await owner.api.createChannel({ name: `keyed-${uuidv7()}`, kind: 'private', topic: '' });
    const people = [];
    for (let n = 0; n < others; n++) people.push(await this.person());
    for (const { id: user_id } of people) await this.call(owner, 'POST', `/v1/channels/${id}/members`, { user_id });
    return { id, owner, others: people };
  }

  async message(): Promise<{ owner: WorldUser; names: { id: string; channel_id: string; message_id: string; thread_id: string }; seq: number }> {
    const { id, owner } = await this.channel();
    const { message_id, seq } = await owner.api.send(id, { client_msg_id: 'first', text: 'first' });
    await this.drained(id, seq ?? 0);
    return { owner, names: { id, channel_id: id, message_id, thread_id: message_id }, seq: seq ?? 0 };
  }

  /** What a change of `path` answers, which is done. */
  async call(caller: WorldUser, method: string, path: string, body?: object): Promise<unknown> {
    const text = body === undefined ? '' : JSON.stringify(body);
    const headers = { authorization: `Bearer ${caller.token}`, ...(body !== undefined && { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)) }) };
    const answer = await rawRequest(this.world.baseUrl, { method, path, headers, ...(body !== undefined && { body: text }) });
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    return answer.text === '' ? null : JSON.parse(answer.text);
  }

  async idOf(caller: WorldUser, path: string, body?: object): Promise<string> {
    return madeSchema.parse(await this.call(caller, 'POST', path, body)).id;
  }

  async etagOf({ token }: WorldUser, path: string): Promise<string> {
    const { headers } = await rawRequest(this.world.baseUrl, { method: 'GET', path, headers: { authorization: `Bearer ${token}` } });
    return String(headers['etag']);
  }

  async drained(channelId: string, seq: number): Promise<void> {
    for (;;) {
      const [row] = await this.world.sql<{ drained_seq: string }[]>`SELECT drained_seq FROM conversation_logs WHERE channel_id = ${channelId}`;
      if (Number(row?.drained_seq ?? 0) >= seq) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async letter(): Promise<string> {
    const headers = JSON.stringify({ ce_type: 'colink.message.created.v1', log_position: '1' });
    const [row] = await this.world.sql<{ id: string }[]>`
      INSERT INTO dead_letters (stage, group_id, topic, partition, record_offset, record_key, record_value, headers, error_class, error_message, attempts, first_failed_at, last_failed_at)
      VALUES ('consumer', ${`g-${uuidv7()}`}, 'message.events', 0, '7', convert_to(${uuidv7()}::text, 'UTF8'), convert_to('{}', 'UTF8'), ${headers}::text::jsonb, 'e', 'it failed', 4, now(), now())
      RETURNING id`;
    return row?.id ?? '';
  }

  /** Another credential of a user. */
  async credential({ id: user_id }: WorldUser, kind: 'session' | 'personal'): Promise<string> {
    const id = uuidv7();
    await insertCredential(this.world.db, { id, secret_hash: randomBytes(32), kind, user_id, name: 'other', scopes: SESSION_SCOPES, expires_at: new Date(Date.now() + HOUR_MS) });
    return id;
  }
}
