import { env } from 'cloudflare:workers';
import { sql } from 'drizzle-orm';
import { beforeEach, describe, expect, it } from 'vitest';
import { MAX_PUSH_SUBSCRIPTIONS, pushSubscriptionListSchema, pushSubscriptionSchema } from '../../protocol/push.ts';
import { bodyOf, type Caller, expectProblem, newCaller, newToken, onPostgres } from '../api-fixture.ts';

const PATH = '/v1/me/push-subscriptions';
const KEY = 'BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs';
let ada: Caller;
let bob: Caller;
beforeEach(async () => {
  Object.assign(env, { VAPID_PUBLIC_KEY: KEY });
  [ada, bob] = [await newCaller(), await newCaller()];
});

const base64url = (bytes: ArrayBuffer | Uint8Array): string => btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');

/** What a browser says of itself. */
async function newBrowser(endpoint = `https://push.example.net/push/${crypto.randomUUID()}`) {
  const pair = await crypto.subtle.generateKey({ name: 'ECDH', namedCurve: 'P-256' }, true, ['deriveBits']);
  if (!('publicKey' in pair)) throw new Error('there is no pair');
  const point = await crypto.subtle.exportKey('raw', pair.publicKey);
  if (!(point instanceof ArrayBuffer)) throw new Error('there is no point');
  return { endpoint, keys: { p256dh: base64url(point), auth: base64url(crypto.getRandomValues(new Uint8Array(16))) } };
}
const put = async (caller: Caller, body: object) => bodyOf(await caller.call('PUT', PATH, body), 200, pushSubscriptionSchema);
const listOf = async (caller: Caller) => bodyOf(await caller.call('GET', PATH), 200, pushSubscriptionListSchema);

describe('push subscriptions', () => {
  it('are made once for each endpoint, listed without it, and deleted (G2)', async () => {
    const [one, two] = [await newBrowser(), await newBrowser('https://other.example/p')];
    const first = await put(ada, one);
    expect(first).toMatchObject({ host: 'push.example.net', current: true });
    expect((await put(ada, one)).id).toBe(first.id);
    const second = await put(ada, two);
    const { data, public_key } = await listOf(ada);
    expect([data.map(({ id }) => id), public_key]).toEqual([[first.id, second.id], KEY]);
    expect(JSON.stringify(data)).not.toContain('/push/');
    expect((await ada.call('DELETE', `${PATH}/${first.id}`)).status).toBe(204);
    expect((await listOf(ada)).data.map(({ id }) => id)).toEqual([second.id]);
    expectProblem(await ada.call('DELETE', `${PATH}/${first.id}`), 'not_found');
  });

  it('G5: are their user\'s alone: nobody sees or deletes another\'s', async () => {
    const { id } = await put(ada, await newBrowser());
    expect((await listOf(bob)).data).toEqual([]);
    expectProblem(await bob.call('DELETE', `${PATH}/${id}`), 'not_found');
    expect((await listOf(ada)).data).toHaveLength(1);
  });

  it('G5: of a browser go to whoever signed in there last, without what waited; who does not know its keys cannot take it', async () => {
    const browser = await newBrowser();
    const { id } = await put(ada, browser);
    await onPostgres((db) => db.execute(sql`INSERT INTO pushes (subscription_id, notice_id, notice_seq, created_at) VALUES (${id}, ${crypto.randomUUID()}, 1, now())`));
    expectProblem(await bob.call('PUT', PATH, { ...(await newBrowser()), endpoint: browser.endpoint }), 'conflict');
    expect((await listOf(ada)).data).toHaveLength(1);
    const taken = await put(bob, browser);
    expect([(await listOf(ada)).data, (await listOf(bob)).data.map((one) => one.id), taken.id === id]).toEqual([[], [taken.id], false]);
    expect(await onPostgres((db) => db.execute(sql`SELECT FROM pushes WHERE subscription_id IN (${id}, ${taken.id})`))).toHaveLength(0);
  });

  it('G5: end with the credential that made them', async () => {
    const other = await newToken(ada.user);
    const mine = await put(ada, await newBrowser());
    const browser = await newBrowser();
    await put(other, browser);
    expect((await listOf(ada)).data.map(({ current }) => current)).toEqual([true, false]);
    expect((await ada.call('DELETE', `/v1/me/credentials/${other.credentialId}`)).status).toBe(204);
    expect((await listOf(ada)).data.map(({ id }) => id)).toEqual([mine.id]);
    // What has ended stands in nobody's way.
    expect((await put(bob, { ...(await newBrowser()), endpoint: browser.endpoint })).current).toBe(true);
  });

  it(`G8: are ${MAX_PUSH_SUBSCRIPTIONS} at most, those of ended credentials aside`, async () => {
    const other = await newToken(ada.user);
    await put(other, await newBrowser());
    for (let n = 1; n < MAX_PUSH_SUBSCRIPTIONS; n += 1) await put(ada, await newBrowser());
    expectProblem(await ada.call('PUT', PATH, await newBrowser()), 'limit_reached');
    await onPostgres((db) => db.execute(sql`UPDATE credentials SET revoked_at = now() WHERE id = ${other.credentialId}`));
    await put(ada, await newBrowser());
    expectProblem(await ada.call('PUT', PATH, await newBrowser()), 'limit_reached');
  });

  it.each([
    ['http://push.example.net/x', 'must be https'], ['https://10.0.0.1/x', 'must name a public host'], ['https://[fd00::1]/x', 'must name a public host'], ['https://push.internal/x', 'must name a public host'],
    ['https://user:pw@push.example.net/x', 'must hold no credentials'], ['https://push.example.net:22/x', 'must be on port 443 or 8443'], ['push.example.net', 'must be an absolute URL of https, in visible ASCII characters'], ['https://[', 'must be an absolute URL'],
    [`https://push.example.net/${'"'.repeat(500)}`, 'must have at most 1024 characters'],
  ])('do not go to %s', async (endpoint, detail) => {
    const answer = await ada.call('PUT', PATH, await newBrowser(endpoint));
    expectProblem(answer, 'invalid');
    expect(answer.body).toMatchObject({ errors: [{ pointer: '/endpoint', detail }] });
  });

  it('are none where the server has no key: it says so', async () => {
    Object.assign(env, { VAPID_PUBLIC_KEY: '' });
    expect(await listOf(ada)).toEqual({ data: [], public_key: null });
    const refused = await ada.call('PUT', PATH, await newBrowser());
    expectProblem(refused, 'unavailable');
    expect(refused.body).toMatchObject({ detail: 'this server sends no pushes' });
  });

  it('are of keys for which something can be encrypted', async () => {
    const browser = await newBrowser();
    const bad = [{ ...browser.keys, p256dh: `B${'A'.repeat(86)}` }, { ...browser.keys, p256dh: browser.keys.p256dh.slice(0, -1) }, { ...browser.keys, auth: 'AAAA' }];
    for (const keys of bad) expectProblem(await ada.call('PUT', PATH, { ...browser, keys }), 'invalid');
    expectProblem(await ada.call('PUT', PATH, { ...browser, expirationTime: null }), 'invalid');
  });
});
