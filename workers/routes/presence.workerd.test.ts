import { env } from 'cloudflare:workers';
import { sql } from 'drizzle-orm';
import { describe, expect, it, vi } from 'vitest';
import { InboxTestSocket } from '../../durable-objects/user-inbox/inbox-fixture.ts';
import { myPresenceSchema } from '../../protocol/api.ts';
import { soon } from '../../tests/support/soon.ts';
import { bodyOf, expectProblem, newCaller, onPostgres, type Caller } from '../api-fixture.ts';

const PATH = '/v1/me/presence';
const put = (caller: Caller, body: object, headers?: Record<string, string>) => caller.call('PUT', PATH, body, headers);
const dnd = { choice: 'dnd', status: { text: 'Writing', emoji: '✍️', expires_at: null } };
const inHours = (hours: number): string => new Date(Date.now() + hours * 3_600_000).toISOString();

async function openInbox({ user, credentialId }: Caller): Promise<InboxTestSocket> {
  const actor = { user_id: user.id, credential_id: credentialId, expires_at: Date.now() + 3_600_000 };
  return await InboxTestSocket.open(env.INBOXES.getByName(user.id), { actor, since: null });
}

describe('what one chooses to be seen as', () => {
  it('is auto at first, is kept with a version, and is known to all devices when the call returns', async () => {
    const ada = await newCaller();
    const before = await ada.call('GET', PATH);
    expect([bodyOf(before, 200, myPresenceSchema), before.headers.get('etag')]).toEqual([{ choice: 'auto', status: null, version: 0 }, '"0"']);
    const device = await openInbox(ada);
    const chosen = await put(ada, dnd);
    expect([bodyOf(chosen, 200, myPresenceSchema), chosen.headers.get('etag')]).toEqual([{ ...dnd, version: 1 }, '"1"']);
    await soon(() => expect(device.events).toMatchObject([{ type: 'presence.chosen', ...dnd }]));
    const seen = () => env.INBOXES.getByName(ada.user.id).watchPresence(ada.user.id, ada.user.id);
    await vi.waitFor(async () => expect(await seen()).toMatchObject({ presence: { state: 'dnd', status: dnd.status } }), { timeout: 20_000, interval: 200 });
    expect((await ada.call('GET', PATH)).body).toEqual({ ...dnd, version: 1 });
  });

  it('is replaced only where If-Match says so, and answers a repeated key as before (G2)', async () => {
    const ada = await newCaller();
    bodyOf(await put(ada, dnd, { 'If-Match': '"0"' }), 200, myPresenceSchema);
    expectProblem(await put(ada, { choice: 'away', status: null }, { 'If-Match': '"0"' }), 'precondition_failed');
    expectProblem(await put(ada, { choice: 'away', status: null }, { 'If-Match': 'w/"1"' }), 'invalid');
    const key = { 'Idempotency-Key': 'k', 'If-Match': '"1"' };
    const first = await put(ada, { choice: 'away', status: null }, key);
    const again = await put(ada, { choice: 'away', status: null }, key);
    expect([first.body, again.body, again.headers.get('idempotency-replayed')]).toEqual([{ choice: 'away', status: null, version: 2 }, first.body, 'true']);
    expectProblem(await put(ada, dnd, key), 'idempotency_mismatch');
  });

  it('has a status that ends', async () => {
    const ada = await newCaller();
    const status = { text: 'Out', emoji: null, expires_at: inHours(-1) };
    expect((await put(ada, { choice: 'auto', status })).status).toBe(200);
    expect((await ada.call('GET', PATH)).body).toEqual({ choice: 'auto', status: null, version: 1 });
    const later = { ...status, expires_at: inHours(1) };
    await put(ada, { choice: 'auto', status: later });
    expect((await ada.call('GET', PATH)).body).toEqual({ choice: 'auto', status: later, version: 2 });
  });

  it.each([
    [{ choice: 'busy', status: null }, '/choice'],
    [{ choice: 'auto' }, '/status'],
    [{ choice: 'auto', status: { text: '', emoji: null, expires_at: null } }, '/status/text'],
    [{ choice: 'auto', status: { text: 'x'.repeat(101), emoji: null, expires_at: null } }, '/status/text'],
    [{ choice: 'auto', status: { text: 'x', emoji: null, expires_at: 'soon' } }, '/status/expires_at'],
    [{ choice: 'auto', status: null, state: 'online' }, '/state'],
  ])('is refused as %j', async (body, pointer) => {
    const ada = await newCaller();
    const refused = await put(ada, body);
    expectProblem(refused, 'invalid');
    expect(refused.body).toMatchObject({ errors: [{ pointer }] });
  });

  it('needs its scope, and a credential that lives (G5)', async () => {
    const reader = await newCaller({ scopes: ['channels:read'] });
    expectProblem(await put(reader, dnd), 'forbidden');
    const ada = await newCaller();
    await ada.call('GET', PATH);
    await onPostgres((db) => db.execute(sql`UPDATE credentials SET revoked_at = now() WHERE id = ${ada.credentialId}`));
    for (const answer of [await put(ada, dnd), await ada.call('GET', PATH)]) expectProblem(answer, 'unauthenticated');
    const rows = await onPostgres((db) => db.execute(sql`SELECT choice FROM user_presence WHERE user_id = ${ada.user.id}`));
    expect(rows).toHaveLength(0);
  });
});
