import { createHmac } from 'node:crypto';
import { env } from 'cloudflare:workers';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { keepAddress } from '../../db/queries/email-settings.ts';
import { emailSettingsSchema } from '../../protocol/email.ts';
import { bodyOf, type Caller, expectProblem, fetchApi, newCaller, onPostgres } from '../api-fixture.ts';

const PATH = '/v1/me/email-settings';
const SECRET = 'the secret of the fleet, of 32 characters or more';
beforeAll(() => void Object.assign(env, { FLEET_TOKEN: SECRET }));
afterAll(() => void Object.assign(env, { FLEET_TOKEN: '' }));

let ada: Caller;
beforeEach(async () => {
  ada = await newCaller();
});

const read = async (caller = ada) => bodyOf(await caller.call('GET', PATH), 200, emailSettingsSchema);
const change = (body: object, version: number, caller = ada) => caller.call('PATCH', PATH, body, { 'If-Match': `"${version}"` });
const vouch = (address: string | null) => onPostgres((db) => db.transaction((tx) => keepAddress(tx, ada.user.id, address)));

describe('settings of digests', () => {
  it('are off until they are changed, each by its version, and are the caller\'s own (G5)', async () => {
    expect(await read()).toEqual({ mode: 'off', after_minutes: 15, daily_hour: 8, address: null, version: 0 });
    const changed = bodyOf(await change({ mode: 'daily', daily_hour: 17 }, 0), 200, emailSettingsSchema);
    expect([changed, await read()]).toEqual(Array.from({ length: 2 }, () => ({ mode: 'daily', after_minutes: 15, daily_hour: 17, address: null, version: 1 })));
    expectProblem(await change({ mode: 'off' }, 0), 'precondition_failed');
    expectProblem(await ada.call('PATCH', PATH, { mode: 'off' }), 'precondition_required');
    for (const body of [{}, { mode: 'hourly' }, { after_minutes: 4 }, { daily_hour: 24 }, { address: 'eve@evil.example' }]) expectProblem(await change(body, 1), 'invalid');
    expect((await read(await newCaller())).mode).toBe('off');
  });

  it('have the address that the identity provider vouches for, and none once it does no more', async () => {
    await vouch('ada@example.com');
    expect((await read()).address).toBe('ada@example.com');
    await change({ mode: 'after' }, 0);
    await vouch('countess@example.com');
    expect(await read()).toMatchObject({ address: 'countess@example.com', mode: 'after', version: 1 });
    await vouch(null);
    expect((await read()).address).toBeNull();
  });

  it('begin with what comes from then on', async () => {
    const channel = crypto.randomUUID();
    await onPostgres((db) => db.execute(sql`
      INSERT INTO notifications (user_id, seq, id, reason, channel_id, message_id, author_id, quiet, created_at)
      VALUES (${ada.user.id}, 41, ${channel}, 'mention', ${channel}, ${channel}, ${ada.user.id}, false, now())`));
    await change({ mode: 'after' }, 0);
    const [row] = await onPostgres((db) => db.execute<{ mailed_seq: string }>(sql`SELECT mailed_seq FROM email_digests WHERE user_id = ${ada.user.id}`));
    expect(Number(row?.mailed_seq)).toBe(41);
  });

  it('are forgotten with the address when somebody is to be forgotten', async () => {
    await vouch('ada@example.com');
    await change({ mode: 'after' }, 0);
    const admin = await newCaller({ role: 'admin' });
    expect((await admin.call('POST', `/v1/admin/users/${ada.user.id}/deactivate`)).status).toBeLessThan(300);
    expect((await admin.call('POST', `/v1/admin/users/${ada.user.id}/redact`)).status).toBeLessThan(300);
    expect(await onPostgres((db) => db.execute(sql`SELECT address, mode FROM email_digests WHERE user_id = ${ada.user.id}`))).toMatchObject([{ address: null, mode: 'off' }]);
  });
});

describe('the link in a digest', () => {
  /** As the fleet signs it. */
  const tokenOf = (userId: string, secret = SECRET): string => `${userId}.${createHmac('sha256', secret).update(`colink.unsubscribe.v1:${userId}`).digest('base64url')}`;
  const post = (token: string, init: RequestInit = {}) => fetchApi(`/unsubscribe/${token}`, { method: 'POST', headers: { 'Content-Type': 'application/x-www-form-urlencoded' }, body: 'List-Unsubscribe=One-Click', ...init });

  beforeEach(() => change({ mode: 'after' }, 0));

  it('ends digests by one POST, without a session, again and again (RFC 8058)', async () => {
    for (let times = 0; times < 2; times += 1) expect((await post(tokenOf(ada.user.id))).status).toBe(200);
    expect(await read()).toMatchObject({ mode: 'off', version: 2 });
  });

  it('only asks whoever looks at it, by a page that runs nothing', async () => {
    const { status, headers, body } = await fetchApi(`/unsubscribe/${tokenOf(ada.user.id)}`);
    expect([status, headers.get('content-type'), headers.get('content-security-policy'), headers.get('referrer-policy')]).toEqual([
      200, expect.stringContaining('text/html'), "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'", 'same-origin',
    ]);
    expect(body).toContain('<form method="post">');
    expect((await read()).mode).toBe('after');
  });

  it('is nobody\'s who cannot sign it: 404, and nothing happens', async () => {
    const [id, other] = [ada.user.id, crypto.randomUUID()];
    const forged = [tokenOf(id, 'another secret'), `${id}.${tokenOf(other).split('.')[1]}`, `${id}.`, id, tokenOf(id).slice(0, -1), `${tokenOf(id)}x`, encodeURIComponent(`${tokenOf(id)}\n`)];
    for (const token of forged) {
      expectProblem(await post(token), 'not_found');
      expectProblem(await fetchApi(`/unsubscribe/${token}`), 'not_found');
    }
    Object.assign(env, { FLEET_TOKEN: '' });
    expectProblem(await post(tokenOf(id, '')), 'not_found');
    Object.assign(env, { FLEET_TOKEN: SECRET });
    expect((await read()).mode).toBe('after');
  });
});
