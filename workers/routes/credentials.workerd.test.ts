import { eq, sql } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import { describe, expect, it } from 'vitest';
import { insertCredential } from '../../db/queries/credentials.ts';
import { makeFirstAdmin, setRole } from '../../db/queries/user-roles.ts';
import { eventLog } from '../../db/schema/event-tables.ts';
import { credentials, users } from '../../db/schema/tables.ts';
import { userSchema } from '../../protocol/api.ts';
import { botListSchema, botSchema, credentialListSchema, newTokenSchema, revokedSchema } from '../../protocol/credentials.ts';
import { SESSION_SCOPES, TOKEN_SCOPES } from '../../protocol/scopes.ts';
import { bodyOf, type Caller, expectProblem, fetchApi, newCaller, newToken, onPostgres } from '../api-fixture.ts';

const NO_TOKEN_SCOPE = SESSION_SCOPES.filter((scope) => scope !== 'credentials');
const listOf = async (caller: Caller) => bodyOf(await caller.call('GET', '/v1/me/credentials'), 200, credentialListSchema).data;
const as = (secret: string) => fetchApi('/v1/me', { headers: { Authorization: `Bearer ${secret}` } });

async function issue(caller: Caller, body: object = { name: 'ci' }, headers: Record<string, string> = {}) {
  const answer = await caller.call('POST', '/v1/me/tokens', body, headers);
  return { token: bodyOf(answer, 201, newTokenSchema), answer };
}

describe('the credentials of a user', () => {
  it('are listed newest first, the current one marked, secrets and others’ never', async () => {
    const ada = await newCaller({ kind: 'session' });
    const phone = await newToken(ada.user, { kind: 'session' });
    const other = await newCaller();
    const answer = await ada.call('GET', '/v1/me/credentials');
    const listed = bodyOf(answer, 200, credentialListSchema).data;
    expect(listed.map(({ id, current }) => [id, current])).toEqual([[phone.credentialId, false], [ada.credentialId, true]]);
    expect(JSON.stringify(answer.body)).not.toContain(other.credentialId);
    expect(JSON.stringify(answer.body)).not.toMatch(/colink_|hash/);
  });

  it('say when they were last used, to the hour', async () => {
    const ada = await newCaller();
    const [first] = await listOf(ada);
    expect(Date.parse(first?.last_used_at ?? '')).toBeGreaterThan(Date.now() - 60_000);
  });

  it('are not listed once they have expired or were revoked', async () => {
    const ada = await newCaller();
    await newToken(ada.user, { expires_at: new Date(Date.now() - 1) });
    const { token } = await issue(ada);
    expect((await ada.call('DELETE', `/v1/me/credentials/${token.id}`)).status).toBe(204);
    expect((await listOf(ada)).map(({ id }) => id)).toEqual([ada.credentialId]);
  });

  it('ask for their own scope', async () => {
    const weak = await newCaller({ scopes: NO_TOKEN_SCOPE });
    expectProblem(await weak.call('GET', '/v1/me/credentials'), 'forbidden');
    expectProblem(await weak.call('POST', '/v1/me/tokens', { name: 'x' }), 'forbidden');
    expectProblem(await weak.call('DELETE', `/v1/me/credentials/${weak.credentialId}`), 'forbidden');
    expectProblem(await weak.call('POST', '/v1/me/revoke-others', {}), 'forbidden');
  });
});

describe('a token', () => {
  it('is shown once, works, and can do what it was made for alone', async () => {
    const ada = await newCaller();
    const { token } = await issue(ada, { name: 'ci', scopes: ['channels:read', 'channels:read'], expires_in_days: 7 });
    expect(token).toMatchObject({ kind: 'personal', name: 'ci', scopes: ['channels:read'], current: false });
    expect(token.secret).toMatch(/^colink_pat_[\w-]{43}$/);
    expect(Date.parse(token.expires_at) - Date.parse(token.created_at)).toBe(7 * 86_400_000);
    expect((await as(token.secret ?? '')).body).toMatchObject({ ...ada.user, is_bot: false });
    expectProblem(await fetchApi('/v1/me/credentials', { headers: { Authorization: `Bearer ${token.secret}` } }), 'forbidden');
  });

  it('lives 30 days and reads and writes where nothing else is asked for', async () => {
    const { token } = await issue(await newCaller());
    expect([token.scopes, Date.parse(token.expires_at) - Date.parse(token.created_at)]).toEqual([[...TOKEN_SCOPES], 30 * 86_400_000]);
  });

  it('gets no scope that its maker has not got', async () => {
    const ada = await newCaller();
    const answer = await ada.call('POST', '/v1/me/tokens', { name: 'x', scopes: ['channels:read', 'messages:import'] });
    expectProblem(answer, 'forbidden');
    expect(answer.body).toMatchObject({ errors: [{ pointer: '/scopes/1' }] });
    const { token } = await issue(ada, { name: 'x', scopes: ['credentials', 'channels:read'] });
    const made = await fetchApi('/v1/me/tokens', {
      method: 'POST', headers: { Authorization: `Bearer ${token.secret}`, 'Content-Type': 'application/json' }, body: JSON.stringify({ name: 'y', scopes: ['admin'] }),
    });
    expectProblem(made, 'forbidden');
  });

  it('made again under the same key is the same token, without its secret, which is kept nowhere', async () => {
    const ada = await newCaller();
    const key = { 'Idempotency-Key': uuidv7() };
    const { token } = await issue(ada, { name: 'ci' }, key);
    const again = await issue(ada, { name: 'ci' }, key);
    expect(again.token).toEqual({ ...token, secret: null });
    expect(again.answer.headers.get('idempotency-replayed')).toBe('true');
    const kept = await onPostgres((db) => db.execute(sql`SELECT body FROM idempotency_keys WHERE user_id = ${ada.user.id}`));
    expect(kept).toHaveLength(1);
    expect(JSON.stringify(kept)).not.toContain('colink_pat_');
    expect(await listOf(ada)).toHaveLength(2);
  });

  it('is refused past a hundred, also where two ask at once', async () => {
    const ada = await newCaller({ kind: 'session' });
    const rows = Array.from({ length: 99 }, (_, n) => ({
      id: uuidv7(), secret_hash: crypto.getRandomValues(new Uint8Array(32)), kind: 'personal' as const, user_id: ada.user.id, name: `t${n}`, scopes: [], expires_at: new Date(Date.now() + 60_000),
    }));
    await onPostgres((db) => db.insert(credentials).values(rows));
    const answers = await Promise.all(['a', 'b', 'c'].map((name) => ada.call('POST', '/v1/me/tokens', { name })));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 409, 409]);
  });

  it.each([[{}], [{ name: '' }], [{ name: 'x'.repeat(81) }], [{ name: 'x', scopes: [] }], [{ name: 'x', scopes: ['root'] }], [{ name: 'x', expires_in_days: 0 }], [{ name: 'x', expires_in_days: 366 }], [{ name: 'x', user_id: uuidv7() }]])(
    'is not made of %j',
    async (body) => {
      expectProblem(await (await newCaller()).call('POST', '/v1/me/tokens', body), 'invalid');
    },
  );
});

describe('G5: revoking', () => {
  it('one’s own credential ends its access, and says so in the outbox, however often it is asked', async () => {
    const ada = await newCaller();
    const { token } = await issue(ada);
    for (let n = 0; n < 2; n++) expect((await ada.call('DELETE', `/v1/me/credentials/${token.id}`)).status).toBe(204);
    expectProblem(await as(token.secret ?? ''), 'unauthenticated');
    const events = await onPostgres((db) => db.select({ type: eventLog.type, data: eventLog.data }).from(eventLog).where(eq(eventLog.key, ada.user.id)));
    expect(events).toEqual([{ type: 'colink.user.credential_revoked.v1', data: expect.objectContaining({ credential_id: token.id, user_id: ada.user.id }) }]);
  });

  it('another’s is not found, and changes nothing', async () => {
    const [ada, eve] = await Promise.all([newCaller(), newCaller()]);
    for (const id of [ada.credentialId, uuidv7()]) expectProblem(await eve.call('DELETE', `/v1/me/credentials/${id}`), 'not_found');
    expect((await ada.call('GET', '/v1/me')).status).toBe(200);
  });

  it('all others spares the one in use, and tokens unless they are meant too', async () => {
    const ada = await newCaller({ kind: 'session' });
    const phone = await newToken(ada.user, { kind: 'session' });
    const { token } = await issue(ada);
    const stranger = await newCaller({ kind: 'session' });
    const revokeOthers = async (body: object) => bodyOf(await ada.call('POST', '/v1/me/revoke-others', body), 200, revokedSchema).revoked;
    expect(await revokeOthers({})).toBe(1);
    expectProblem(await phone.call('GET', '/v1/me'), 'unauthenticated');
    expect((await as(token.secret ?? '')).status).toBe(200);
    await revokeOthers({ tokens: true });
    expect((await listOf(ada)).map(({ id }) => id)).toEqual([ada.credentialId]);
    expect((await stranger.call('GET', '/v1/me')).status).toBe(200);
  });
});

describe('bots', () => {
  const body = () => ({ handle: `bot-${uuidv7().slice(-12)}`, display_name: 'Builder' });

  it('are made by administrators, get tokens of their own, and end with deactivation', async () => {
    const admin = await newCaller({ role: 'admin' });
    const wanted = body();
    const bot = bodyOf(await admin.call('POST', '/v1/admin/bots', wanted), 201, botSchema);
    expect(bot).toMatchObject({ user: { ...wanted, role: 'member' }, owner_id: admin.user.id, deactivated: false });
    const token = bodyOf(await admin.call('POST', `/v1/admin/bots/${bot.user.id}/tokens`, { name: 'build' }), 201, newTokenSchema);
    expect(token.secret).toMatch(/^colink_bot_/);
    expect((await as(token.secret ?? '')).body).toMatchObject({ ...bot.user, is_bot: true });
    expect((await admin.call('POST', `/v1/admin/users/${bot.user.id}/deactivate`)).status).toBe(204);
    expectProblem(await fetchApi('/v1/bootstrap', { headers: { Authorization: `Bearer ${token.secret}` } }), 'unauthenticated');
    expectProblem(await admin.call('POST', `/v1/admin/bots/${bot.user.id}/tokens`, { name: 'again' }), 'not_found');
    const listed = bodyOf(await admin.call('GET', '/v1/admin/bots'), 200, botListSchema).data;
    expect(listed).toContainEqual({ ...bot, deactivated: true });
  });

  it('take no handle that is taken', async () => {
    const admin = await newCaller({ role: 'admin' });
    const wanted = body();
    expect((await admin.call('POST', '/v1/admin/bots', wanted)).status).toBe(201);
    expectProblem(await admin.call('POST', '/v1/admin/bots', wanted), 'conflict');
  });

  it.each([
    ['/handle', { handle: 'here' }], ['/handle', { handle: 'channel' }], ['/handle', { handle: 'Bot' }],
    ['/display_name', { display_name: ' ' }], ['/display_name', { display_name: 'Ada\u200b' }], ['/display_name', { display_name: '\u202eadA' }], ['/display_name', { display_name: 'a\nb' }],
  ])('are called as people may be: not by %s of %j', async (pointer, part) => {
    const admin = await newCaller({ role: 'admin' });
    const refused = await admin.call('POST', '/v1/admin/bots', { ...body(), ...part });
    expectProblem(refused, 'invalid');
    expect(refused.body).toMatchObject({ errors: [{ pointer }] });
  });

  it('are no business of others, and no token is made for a person', async () => {
    const [member, admin] = await Promise.all([newCaller(), newCaller({ role: 'admin' })]);
    expectProblem(await member.call('POST', '/v1/admin/bots', body()), 'forbidden');
    expectProblem(await member.call('GET', '/v1/admin/bots'), 'forbidden');
    expectProblem(await member.call('POST', `/v1/admin/bots/${member.user.id}/tokens`, { name: 'x' }), 'forbidden');
    expectProblem(await admin.call('POST', `/v1/admin/bots/${member.user.id}/tokens`, { name: 'x' }), 'not_found');
  });
});

describe('roles', () => {
  it('are given by administrators, at once', async () => {
    const [admin, ada] = await Promise.all([newCaller({ role: 'admin' }), newCaller()]);
    const changed = bodyOf(await admin.call('PUT', `/v1/admin/users/${ada.user.id}/role`, { role: 'admin' }), 200, userSchema);
    expect(changed).toEqual({ ...ada.user, role: 'admin' });
    expect((await ada.call('GET', '/v1/admin/bots')).status).toBe(200);
    await admin.call('PUT', `/v1/admin/users/${ada.user.id}/role`, { role: 'guest' });
    expectProblem(await ada.call('GET', '/v1/admin/bots'), 'forbidden');
    const events = await onPostgres((db) => db.select({ data: eventLog.data }).from(eventLog).where(eq(eventLog.key, ada.user.id)).orderBy(eventLog.position));
    expect(events.map(({ data }) => data)).toEqual([expect.objectContaining({ type: 'user.updated', version: 2 }), expect.objectContaining({ version: 3 })]);
  });

  it('are not given by others', async () => {
    const ada = await newCaller();
    expectProblem(await ada.call('PUT', `/v1/admin/users/${ada.user.id}/role`, { role: 'admin' }), 'forbidden');
  });

  it('there is a first administrator where there is none, and no second; the last one cannot step down', async () => {
    const [ada, bob, credentialId] = [uuidv7(), uuidv7(), uuidv7()];
    const seen: unknown[] = [];
    // Undone at the end: other tests have administrators of their own.
    const undone = onPostgres((db) => db.transaction(async (tx) => {
      const now = new Date();
      await tx.update(users).set({ role: 'member' }).where(eq(users.role, 'admin'));
      for (const id of [ada, bob]) await tx.insert(users).values({ id, issuer: 'https://id.example', subject: id, handle: `u-${id}`, display_name: 'A' });
      await insertCredential(tx, { id: credentialId, secret_hash: crypto.getRandomValues(new Uint8Array(32)), kind: 'session', user_id: ada, name: 'a', scopes: [], expires_at: new Date(Date.now() + 60_000) });
      seen.push(await makeFirstAdmin(tx, ada, now), await makeFirstAdmin(tx, bob, now));
      const request = { credentialId, actorId: ada, eventId: uuidv7(), now, traceparent: null };
      seen.push(await setRole(tx, { ...request, userId: ada }, 'member'), await setRole(tx, { ...request, userId: bob, eventId: uuidv7() }, 'admin'));
      seen.push(await setRole(tx, { ...request, userId: ada, eventId: uuidv7() }, 'member'));
      tx.rollback();
    }));
    await expect(undone).rejects.toThrow('Rollback');
    expect(seen).toMatchObject([true, false, { problem: { code: 'conflict' } }, { ok: { role: 'admin' } }, { ok: { role: 'member' } }]);
  });
});
