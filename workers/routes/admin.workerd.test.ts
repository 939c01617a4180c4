import { runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { sql } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { signIn } from '../../db/queries/users.ts';
import { directoryEventSchema } from '../../protocol/directory-events.ts';
import { bearer, channelSocket, INBOX_SOCKET, offering, openSocket, ticketOf } from '../socket-fixture.ts';
import { expectProblem, newCaller, newChannel, newToken, onPostgres, send, type Caller } from '../api-fixture.ts';

const deactivate = (by: Caller, who: Caller, key?: string) =>
  by.call('POST', `/v1/admin/users/${who.user.id}/deactivate`, undefined, key === undefined ? {} : { 'Idempotency-Key': key });
const reactivate = (by: Caller, who: Caller) => by.call('POST', `/v1/admin/users/${who.user.id}/reactivate`);
const person = ({ user }: Caller) => ({ issuer: 'https://id.example', subject: user.id, handles: [user.handle], display_name: user.display_name });
const signsIn = (who: Caller) => onPostgres((db) => db.transaction((tx) => signIn(tx, person(who), new Date())));

let admin: Caller;
let ada: Caller;
let channel: string;
beforeEach(async () => {
  [admin, ada] = [await newCaller({ role: 'admin' }), await newCaller()];
  ({ id: channel } = await newChannel(ada));
});

describe('deactivation', () => {
  it('ends sockets in all rooms and the inbox, tokens, tickets and sign-in before it returns (G5, P36)', async () => {
    const [second, phone] = [await newChannel(ada, 'private'), await newToken(ada.user, { kind: 'session' })];
    const sockets = [await openSocket(channelSocket(channel), bearer(ada)), await openSocket(channelSocket(second.id), bearer(phone)), await openSocket(INBOX_SOCKET, bearer(phone))];
    const ticket = await ticketOf(ada);
    expect((await deactivate(admin, ada)).status).toBe(204);
    for (const socket of sockets) await vi.waitFor(() => expect(socket.closed()?.code).toBe(4001), 5_000);
    for (const caller of [ada, phone]) {
      expect((await caller.call('GET', '/v1/me')).status).toBe(401);
      expectProblem(await caller.call('POST', `/v1/channels/${channel}/messages`, { client_msg_id: uuidv7(), text: 'x' }), 'unauthenticated');
    }
    expect((await openSocket(channelSocket(channel), offering(ticket))).problem).toBe('unauthenticated');
    expect((await openSocket(INBOX_SOCKET, bearer(phone))).problem).toBe('unauthenticated');
    expect(await signsIn(ada)).toEqual({ problem: { code: 'forbidden' } });
  });

  it('of two administrators by each other at once leaves one, who goes on', async () => {
    for (let n = 0; n < 5; n++) {
      const [one, other] = [await newCaller({ role: 'admin' }), await newCaller({ role: 'admin' })];
      const answers = await Promise.all([deactivate(one, other), deactivate(other, one)]);
      expect(answers.map(({ status }) => status).toSorted()).toEqual([204, 401]);
      const left = answers[0]?.status === 204 ? one : other;
      expect((await left.call('GET', '/v1/bootstrap')).status).toBe(200);
    }
  });

  it('is told once in the outbox, however often it is asked for (G2)', async () => {
    for (let n = 0; n < 2; n++) expect((await deactivate(admin, ada)).status).toBe(204);
    for (let n = 0; n < 2; n++) expect((await deactivate(admin, ada, 'key')).status).toBe(204);
    expect((await reactivate(admin, ada)).status).toBe(204);
    const rows = await onPostgres((db) => db.execute<{ data: unknown }>(sql`SELECT data FROM event_log WHERE type LIKE 'colink.user.%' AND key = ${ada.user.id} ORDER BY position`));
    expect(rows.map(({ data }) => directoryEventSchema.parse(data))).toMatchObject([
      { type: 'user.updated', actor_id: admin.user.id, version: 2, deactivated: true },
      { type: 'user.updated', actor_id: admin.user.id, version: 3, deactivated: false },
    ]);
  });

  it('that a room could not be told of is 503, and its repetition tells all again (G5)', async () => {
    const socket = await openSocket(channelSocket(channel), bearer(ada));
    const room = env.ROOMS.getByName(channel);
    const rename = (from: string, to: string) => runInDurableObject(room, (_, state) => void state.storage.sql.exec(`ALTER TABLE ${from} RENAME TO ${to}`));
    await rename('revoked_credentials', 'broken');
    expectProblem(await deactivate(admin, ada, 'key'), 'unavailable');
    await rename('broken', 'revoked_credentials');
    expect((await deactivate(admin, ada, 'key')).status).toBe(204);
    await vi.waitFor(() => expect(socket.closed()?.code).toBe(4001), 5_000);
  });

  it('is undone by reactivation, but for what it revoked', async () => {
    await deactivate(admin, ada);
    expect((await reactivate(admin, ada)).status).toBe(204);
    expect(await signsIn(ada)).toMatchObject({ ok: { user: { id: ada.user.id } } });
    expect((await ada.call('GET', '/v1/me')).status).toBe(401);
    const fresh = await newToken(ada.user);
    expect(await send(fresh, channel, 'back')).toHaveProperty('seq');
  });

  it('is for administrators, of others, with a credential that may', async () => {
    for (const role of ['moderator', 'member', 'guest'] as const) expectProblem(await deactivate(await newCaller({ role }), ada), 'forbidden');
    expectProblem(await deactivate(await newToken(admin.user, { scopes: ['messages:write', 'channels:write'] }), ada), 'forbidden');
    expectProblem(await deactivate(admin, admin), 'conflict');
    expectProblem(await admin.call('POST', `/v1/admin/users/${uuidv7()}/deactivate`), 'not_found');
    expect((await ada.call('GET', '/v1/me')).status).toBe(200);
  });
});

describe('redaction', () => {
  const redact = (by: Caller, who: Caller) => by.call('POST', `/v1/admin/users/${who.user.id}/redact`);

  it('is asked for by administrators, of users who are deactivated, and told in the outbox', async () => {
    expectProblem(await redact(ada, ada), 'forbidden');
    expectProblem(await redact(admin, ada), 'conflict');
    await deactivate(admin, ada);
    expect((await redact(admin, ada)).status).toBe(202);
    const rows = await onPostgres((db) => db.execute<{ data: unknown }>(sql`SELECT data FROM event_log WHERE type LIKE 'colink.user.%' AND key = ${ada.user.id} ORDER BY position DESC LIMIT 1`));
    expect(rows.map(({ data }) => directoryEventSchema.parse(data))).toMatchObject([{ type: 'user.redaction_requested', actor_id: admin.user.id, user_id: ada.user.id }]);
  });
});
