import { sql } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  deliveryPageSchema, deliverySchema, MAX_WEBHOOKS, type Webhook, webhookPageSchema, webhookSchema, type WebhookWithSecret, webhookWithSecretSchema,
} from '../../protocol/webhooks.ts';
import { type Answer, bodyOf, type Caller, expectProblem, newCaller, newChannel, newToken, onPostgres } from '../api-fixture.ts';

const PATH = '/v1/webhooks';
const wish = (more: object = {}) => ({ url: 'https://hook.example/in', event_types: ['message.created'], ...more });

let ada: Caller;
beforeEach(async () => {
  ada = await newCaller();
});

const make = async (caller = ada, more: object = {}): Promise<WebhookWithSecret> => bodyOf(await caller.call('POST', PATH, wish(more)), 201, webhookWithSecretSchema);
const show = async (id: string): Promise<Webhook> => bodyOf(await ada.call('GET', `${PATH}/${id}`), 200, webhookSchema);
const patch = (id: string, body: object, version: number, caller = ada): Promise<Answer> => caller.call('PATCH', `${PATH}/${id}`, body, { 'If-Match': `"${version}"` });
const list = async (query = '') => bodyOf(await ada.call('GET', `${PATH}${query}`), 200, webhookPageSchema);
const log = async (id: string, query = '') => bodyOf(await ada.call('GET', `${PATH}/${id}/deliveries${query}`), 200, deliveryPageSchema);
const test = async (id: string) => bodyOf(await ada.call('POST', `${PATH}/${id}/test`), 202, deliverySchema);
/** As the fleet would have left it. */
const settle = (id: string, status: string) => onPostgres((db) => db.execute(sql`
  UPDATE webhook_deliveries SET status = ${status}, attempts = 10, last_status = 500, last_latency_ms = 7, failure = 'status', settled_at = now() WHERE webhook_id = ${id}`));

describe('webhooks', () => {
  it('are made with a secret that no other answer has, listed in order, and deleted', async () => {
    const answer = await ada.call('POST', PATH, wish({ description: 'ci', event_types: ['message.created', 'reaction.added'] }));
    const made = bodyOf(answer, 201, webhookWithSecretSchema);
    expect(made.secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect([answer.headers.get('location'), answer.headers.get('etag')]).toEqual([`${PATH}/${made.id}`, '"1"']);
    const { secret, ...webhook } = made;
    expect(webhook).toMatchObject({ channel_id: null, description: 'ci', state: 'enabled', disabled_reason: null, failing_since: null, previous_secret_until: null, version: 1 });
    expect(await show(made.id)).toEqual(webhook);
    const second = await make();
    const first = await list('?limit=1');
    expect(first.data).toEqual([webhook]);
    expect((await list(`?limit=1&cursor=${first.next_cursor}`)).data.map(({ id }) => id)).toEqual([second.id]);
    expect(JSON.stringify(await list())).not.toContain(secret);
    for (const status of [204, 404]) expect((await ada.call('DELETE', `${PATH}/${made.id}`)).status).toBe(status);
    expect((await list()).data.map(({ id }) => id)).toEqual([second.id]);
  });

  it('are made once for a key, with the same secret; two keys make two', async () => {
    const again = (key: string) => ada.call('POST', PATH, wish(), { 'Idempotency-Key': key });
    const [one, same, other] = [await again('a'), await again('a'), await again('b')].map((answer) => bodyOf(answer, 201, webhookWithSecretSchema));
    expect(same).toEqual(one);
    expect(other?.id).not.toBe(one?.id);
    expect((await list()).data).toHaveLength(2);
  });

  it('are changed by whoever saw their version; disabling cancels what waits, enabling forgets failures', async () => {
    const { id } = await make();
    expectProblem(await ada.call('PATCH', `${PATH}/${id}`, { description: 'x' }), 'precondition_required');
    expectProblem(await patch(id, { description: 'x' }, 2), 'precondition_failed');
    const changed = bodyOf(await patch(id, { url: 'https://other.example/', event_types: ['message.deleted'] }, 1), 200, webhookSchema);
    expect(changed).toMatchObject({ url: 'https://other.example/', event_types: ['message.deleted'], version: 2 });
    const delivery = await test(id);
    const off = bodyOf(await patch(id, { state: 'disabled' }, 2), 200, webhookSchema);
    expect(off).toMatchObject({ state: 'disabled', disabled_reason: 'owner', version: 3 });
    expect((await log(id)).data).toMatchObject([{ id: delivery.id, status: 'cancelled', failure: 'disabled', next_attempt_at: null }]);
    await onPostgres((db) => db.execute(sql`UPDATE webhooks SET failures = 9, failing_since = now() WHERE id = ${id}`));
    expect(bodyOf(await patch(id, { state: 'enabled' }, 3), 200, webhookSchema)).toMatchObject({ state: 'enabled', disabled_reason: null, disabled_at: null, failing_since: null });
  });

  it('get another secret, and sign with both for a day', async () => {
    const made = await make();
    const rotated = bodyOf(await ada.call('POST', `${PATH}/${made.id}/rotate-secret`), 200, webhookWithSecretSchema);
    expect(rotated.secret).not.toBe(made.secret);
    expect(rotated.version).toBe(2);
    const hours = (Date.parse(rotated.previous_secret_until ?? '') - Date.now()) / 3_600_000;
    expect(hours).toBeGreaterThan(23.9);
    expect(hours).toBeLessThan(24.1);
    const [row] = await onPostgres((db) => db.execute<{ now: string; before: string }>(sql`SELECT encode(secret, 'base64') AS now, encode(previous_secret, 'base64') AS before FROM webhooks WHERE id = ${made.id}`));
    expect([`whsec_${row?.now}`, `whsec_${row?.before}`]).toEqual([rotated.secret, made.secret]);
  });

  it('are tested and replayed: what waits is in the log, page by page, by status', async () => {
    const { id } = await make();
    const first = await test(id);
    expect(first).toMatchObject({ event_type: 'webhook.test', channel_id: null, status: 'pending', attempts: 0, last_status: null, settled_at: null });
    await settle(id, 'failed');
    const second = await test(id);
    const page = await log(id, '?limit=1');
    expect(page.data.map(({ id }) => id)).toEqual([second.id]);
    expect((await log(id, `?limit=1&cursor=${page.next_cursor}`)).data).toMatchObject([{ id: first.id, status: 'failed', attempts: 10, last_status: 500, last_latency_ms: 7, failure: 'status' }]);
    expect((await log(id, '?status=failed')).data.map(({ id }) => id)).toEqual([first.id]);
    const replayed = bodyOf(await ada.call('POST', `${PATH}/${id}/deliveries/${first.id}/replay`), 202, deliverySchema);
    expect(replayed).toMatchObject({ id: first.id, status: 'pending', attempts: 0, failure: null, settled_at: null });
    expectProblem(await ada.call('POST', `${PATH}/${id}/deliveries/${uuidv7()}/replay`), 'not_found');
    await patch(id, { state: 'disabled' }, 1);
    expectProblem(await ada.call('POST', `${PATH}/${id}/deliveries/${first.id}/replay`), 'conflict');
    expectProblem(await ada.call('POST', `${PATH}/${id}/test`), 'conflict');
    expectProblem(await ada.call('GET', `${PATH}/${id}/deliveries?cursor=x`), 'bad_cursor');
  });
});

describe('what is refused of webhooks', () => {
  it('is everything of somebody else\'s, as if it were not there (G5)', async () => {
    const { id } = await make();
    const delivery = await test(id);
    const eve = await newCaller({ role: 'admin' });
    const tries = [
      ['GET', ''], ['DELETE', ''], ['POST', '/rotate-secret'], ['POST', '/test'], ['GET', '/deliveries'], ['POST', `/deliveries/${delivery.id}/replay`],
    ] as const;
    for (const [method, path] of tries) expectProblem(await eve.call(method, `${PATH}/${id}${path}`), 'not_found');
    expectProblem(await patch(id, { description: 'x' }, 1, eve), 'not_found');
    const own = await make(eve);
    expectProblem(await eve.call('POST', `${PATH}/${own.id}/deliveries/${delivery.id}/replay`), 'not_found');
    expect((await show(id)).version).toBe(1);
  });

  it('is whoever has not the scope, and guests', async () => {
    const token = await newToken(ada.user, { scopes: ['messages:read', 'messages:write', 'channels:read', 'channels:write'] });
    for (const [method, path] of [['GET', PATH], ['POST', PATH]] as const) expectProblem(await token.call(method, path, method === 'POST' ? wish() : undefined), 'forbidden');
    expectProblem(await (await newCaller({ role: 'guest' })).call('POST', PATH, wish()), 'forbidden');
  });

  it('is a channel one is no member of: a private one is not there (G5)', async () => {
    const eve = await newCaller();
    const [hidden, open] = [await newChannel(eve, 'private'), await newChannel(eve)];
    expectProblem(await ada.call('POST', PATH, wish({ channel_id: hidden.id })), 'not_found');
    expectProblem(await ada.call('POST', PATH, wish({ channel_id: uuidv7() })), 'not_found');
    expectProblem(await ada.call('POST', PATH, wish({ channel_id: open.id })), 'not_a_member');
    expect((await make(eve, { channel_id: hidden.id })).channel_id).toBe(hidden.id);
  });

  it.each(['http://hook.example/', 'https://10.0.0.1/', 'https://user:pass@hook.example/', 'https://hook.example:22/', 'nothing', 'https://metadata/'])('is the URL %s', async (url) => {
    const { id } = await make();
    for (const answer of [await ada.call('POST', PATH, wish({ url })), await patch(id, { url }, 1)]) {
      expectProblem(answer, 'invalid');
      expect(answer.body).toMatchObject({ errors: [{ pointer: '/url' }] });
    }
  });

  it.each([
    { event_types: [] }, { event_types: ['message.created', 'message.created'] }, { event_types: ['user.created'] }, { secret: 'x' }, { url: 'https://hook.example/\u0000' }, { url: `https://hook.example/${'x'.repeat(2_048)}` },
    { description: 'x'.repeat(201) }, { channel_id: 'x' },
  ])('is a body with %j', async (more) => {
    expectProblem(await ada.call('POST', PATH, wish(more)), 'invalid');
  });

  it('is one more than a user may have, also at the same moment', async () => {
    for (let n = 2; n < MAX_WEBHOOKS; n += 1) await make();
    const answers = await Promise.all([1, 2, 3, 4].map(() => ada.call('POST', PATH, wish())));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 201, 409, 409]);
  });

  it('is everything once the owner is deactivated: their webhooks are disabled by then, and stay so (G5)', async () => {
    const { id } = await make();
    await test(id);
    const admin = await newCaller({ role: 'admin' });
    for (const act of ['deactivate', 'reactivate']) expect((await admin.call('POST', `/v1/admin/users/${ada.user.id}/${act}`)).status).toBe(204);
    expectProblem(await ada.call('GET', `${PATH}/${id}`), 'unauthenticated');
    ada = await newToken(ada.user);
    expect(await show(id)).toMatchObject({ state: 'disabled', disabled_reason: 'owner_deactivated' });
    expect((await log(id)).data).toMatchObject([{ status: 'cancelled', failure: 'disabled' }]);
  });
});
