import { IncomingWebhook } from '@slack/webhook';
import { exports } from 'cloudflare:workers';
import { sql } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { messagePageSchema, type Message } from '../../protocol/api.ts';
import {
  incomingWebhookPageSchema, MAX_INCOMING_WEBHOOKS, type NewIncomingWebhook, newIncomingWebhookSchema,
} from '../../protocol/incoming-webhooks.ts';
import { soon } from '../../tests/support/soon.ts';
import { type Answer, bodyOf, type Caller, expectProblem, fetchApi, newCaller, newChannel, onPostgres, send } from '../api-fixture.ts';
import { tsOf } from '../slack/ts.ts';

let ada: Caller;
let channel: string;
let path: string;
beforeEach(async () => {
  ada = await newCaller();
  channel = (await newChannel(ada, 'private')).id;
  path = `/v1/channels/${channel}/incoming-webhooks`;
});

const make = async (name = 'CI', key?: string): Promise<NewIncomingWebhook> =>
  bodyOf(await ada.call('POST', path, { name }, key === undefined ? {} : { 'Idempotency-Key': key }), 201, newIncomingWebhookSchema);
const addressOf = ({ url }: NewIncomingWebhook): string => {
  if (url === null) throw new Error('the address is not shown');
  return url;
};
const list = async (query = '', caller = ada) => bodyOf(await caller.call('GET', `${path}${query}`), 200, incomingWebhookPageSchema);
/** workerd knows no `redirect: 'error'`, which the package asks for. */
const official = (url: string) => new IncomingWebhook(url, { fetch: (address, init) => exports.default.fetch(new Request(address, { ...init, redirect: 'manual' })) });
const post = (url: string, body: BodyInit, headers: Record<string, string> = { 'Content-Type': 'application/json' }): Promise<Answer> => fetchApi(new URL(url).pathname, { method: 'POST', headers, body });
const said = ({ status, body }: Answer) => [status, body];

async function posted(count: number, caller = ada): Promise<Message[]> {
  let found: Message[] = [];
  await vi.waitFor(async () => {
    found = bodyOf(await caller.call('GET', `/v1/channels/${channel}/messages`), 200, messagePageSchema).data;
    expect(found).toHaveLength(count);
  }, { timeout: 10_000, interval: 50 });
  return found;
}

describe('incoming webhooks', () => {
  it('are posted to by the official package, in the name of a bot of their own', async () => {
    const webhook = await make('Deployments');
    expect(await official(addressOf(webhook)).send({ text: 'Build <https://ci.example/7|#7> &lt;ok&gt; :tada: – ğ 漢字', username: 'not this', icon_emoji: ':x:' })).toEqual({ text: 'ok' });
    expect(await official(addressOf(webhook)).send('plain')).toEqual({ text: 'ok' });
    const [first, second] = await posted(2);
    expect([first?.text, second?.text, first?.author_id]).toEqual(['Build #7 (https://ci.example/7) <ok> 🎉 – ğ 漢字', 'plain', webhook.bot.id]);
    expect(webhook.bot).toMatchObject({ display_name: 'Deployments', role: 'member', handle: expect.stringMatching(/^hook-[0-9a-f]{12}$/) });
  });

  it('take a form with a payload, and JSON whatever it is called; blocks and attachments by what they say', async () => {
    const url = addressOf(await make());
    const payload = { blocks: [{ type: 'header', text: { type: 'plain_text', text: 'A <b' } }, { type: 'section', text: { type: 'mrkdwn', text: 'b &amp; <!here>' } }], attachments: [{ title: 't', title_link: 'https://t.example/', text: 'c' }] };
    expect(said(await post(url, new URLSearchParams({ payload: JSON.stringify(payload) })))).toEqual([200, 'ok']);
    expect(said(await post(url, '{"text":"by curl -d"}', { 'Content-Type': 'application/x-www-form-urlencoded' }))).toEqual([200, 'ok']);
    expect((await posted(2)).map(({ text }) => text)).toEqual(['A <b\nb & @here\nt (https://t.example/)\nc', 'by curl -d']);
  });

  it('name people and channels that their bot may know of, and no others', async () => {
    const [bob, others] = [await newCaller(), await newCaller()];
    const secret = await newChannel(others, 'private');
    const open = await newChannel(others);
    expect(said(await post(addressOf(await make()), JSON.stringify({ text: `<@${bob.user.id}>: see <#${open.id}> not <#${secret.id}>, <@${uuidv7()}|somebody> or <!channel>` })))).toEqual([200, 'ok']);
    expect((await posted(1))[0]?.text).toBe(`@${bob.user.handle}: see #${open.name} not <#${secret.id}>, somebody or @channel`);
  });

  it('answer a thread by its ts, at once', async () => {
    const url = addressOf(await make());
    const root = await send(ada, channel, 'root');
    const ts = tsOf({ id: root.message_id, seq: root.seq ?? 0 });
    expect(said(await post(url, JSON.stringify({ text: 'reply', thread_ts: ts })))).toEqual([200, 'ok']);
    for (const bad of ['1.000001', 'x', 7]) expect(said(await post(url, JSON.stringify({ text: 'reply', thread_ts: bad })))).toEqual([400, 'thread_not_found']);
    await soon(async () => {
      const { data } = bodyOf(await ada.call('GET', `/v1/channels/${channel}/messages/${root.message_id}/replies`), 200, messagePageSchema);
      expect(data.map(({ text }) => text)).toEqual(['reply']);
    });
  });

  it('post once for a key (G2)', async () => {
    const url = addressOf(await make());
    const again = () => post(url, '{"text":"once"}', { 'Idempotency-Key': 'a-key' });
    const answers = await Promise.all([again(), again(), again()]);
    expect(answers.map(said)).toEqual([[200, 'ok'], [200, 'ok'], [200, 'ok']]);
    expect(answers.filter(({ headers }) => headers.get('idempotency-replayed') === 'true')).toHaveLength(2);
    await posted(1);
    // Another text under it is refused, and so is the same one in a thread; neither is posted.
    expect(said(await post(url, '{"text":"another"}', { 'Idempotency-Key': 'a-key' }))).toEqual([400, 'invalid_payload']);
    const root = await send(ada, channel, 'root');
    expect(said(await post(url, JSON.stringify({ text: 'once', thread_ts: tsOf({ id: root.message_id, seq: root.seq ?? 0 }) }), { 'Idempotency-Key': 'a-key' }))).toEqual([400, 'invalid_payload']);
    expect((await posted(2)).map(({ text }) => text)).toEqual(['once', 'root']);
    expect(said(await post(url, '{"text":"x"}', { 'Idempotency-Key': 'x'.repeat(70) }))).toEqual([400, 'invalid_payload']);
  });

  it('know a key as their own, whoever else uses it in the channel, and after its secret has been changed (G2)', async () => {
    const webhook = await make();
    const key = { 'Idempotency-Key': 'shared' };
    expect(said(await post(addressOf(webhook), '{"text":"by all"}', key))).toEqual([200, 'ok']);
    expect(said(await post(addressOf(await make('Others')), '{"text":"by all"}', key))).toEqual([200, 'ok']);
    expect((await ada.call('POST', `/v1/channels/${channel}/messages`, { text: 'by all' }, key)).status).toBe(201);
    await posted(3);
    const rotated = bodyOf(await ada.call('POST', `${path}/${webhook.id}/rotate-secret`), 200, newIncomingWebhookSchema);
    const again = await post(addressOf(rotated), '{"text":"by all"}', key);
    expect([again.status, again.headers.get('idempotency-replayed')]).toEqual([200, 'true']);
    await posted(3);
  });

  it.each([
    ['no JSON', '{', 'invalid_payload'],
    ['nothing', '', 'invalid_payload'],
    ['a list', '[]', 'invalid_payload'],
    ['a list in a form', 'payload=%5B%5D', 'invalid_payload'],
    ['null in a form', 'payload=null', 'invalid_payload'],
    ['NUL', '{"text":"\\u0000"}', 'invalid_payload'],
    ['no text', '{}', 'no_text'],
    ['a blank', '{"text":" "}', 'no_text'],
    ['a number', '{"text":7}', 'no_text'],
    ['blocks that say nothing', '{"blocks":[{"type":"divider"}]}', 'no_text'],
    ['more than a message holds', JSON.stringify({ text: 'x'.repeat(10_001) }), 'msg_too_long'],
  ])('say what is wrong with %s', async (_, body, word) => {
    expect(said(await post(addressOf(await make()), body))).toEqual([400, word]);
  });

  it('are told apart by nobody once they are revoked, from an address that never was (G5)', async () => {
    const webhook = await make();
    const url = addressOf(webhook);
    expect((await post(url, '{"text":"before"}')).status).toBe(200);
    for (const _ of [1, 2]) expect((await ada.call('DELETE', `${path}/${webhook.id}`)).status).toBe(204);
    const invented = url.replace(/.{4}$/, 'AAAA');
    const answers = [];
    for (const address of [url, invented, url.slice(0, -1), 'https://colink.example/hooks/incoming/x', url.replace(/hook_[0-9a-f]{4}/, 'hook_0000')]) {
      const { status, body, headers } = await post(address, '{"text":"after"}');
      answers.push([status, body, headers.get('content-type')]);
    }
    expect(answers).toEqual(answers.map(() => [404, 'no_service', 'text/plain; charset=UTF-8']));
    expect((await list()).data).toEqual([]);
    expect(await posted(1)).toHaveLength(1);
    const [bot] = await onPostgres((db) => db.execute<{ gone: boolean; member: boolean }>(sql`
      SELECT u.deactivated_at IS NOT NULL AS gone, EXISTS (SELECT 1 FROM members m WHERE m.user_id = u.id) AS member FROM users u WHERE u.id = ${webhook.bot.id}`));
    expect(bot).toEqual({ gone: true, member: false });
  });

  it('exchange their address: the one before is good for nothing at once, though an isolate knew it', async () => {
    const webhook = await make();
    expect((await post(addressOf(webhook), '{"text":"1"}')).status).toBe(200);
    const rotated = bodyOf(await ada.call('POST', `${path}/${webhook.id}/rotate-secret`), 200, newIncomingWebhookSchema);
    expect(said(await post(addressOf(webhook), '{"text":"2"}'))).toEqual([404, 'no_service']);
    expect(said(await post(addressOf(rotated), '{"text":"3"}'))).toEqual([200, 'ok']);
    expect([rotated.id, rotated.bot, rotated.rotated_at !== null]).toEqual([webhook.id, webhook.bot, true]);
    expect((await posted(2)).map(({ text, author_id }) => [text, author_id])).toEqual([['1', webhook.bot.id], ['3', webhook.bot.id]]);
  });

  it('post nothing once their bot is removed, or the channel archived', async () => {
    const webhook = await make();
    expect((await ada.call('POST', `/v1/channels/${channel}/archive`)).status).toBe(200);
    expect(said(await post(addressOf(webhook), '{"text":"x"}'))).toEqual([410, 'channel_is_archived']);
    expectProblem(await ada.call('POST', path, { name: 'x' }), 'channel_archived');
    expect((await ada.call('POST', `/v1/channels/${channel}/unarchive`)).status).toBe(200);
    expect((await ada.call('DELETE', `/v1/channels/${channel}/members/${webhook.bot.id}`)).status).toBe(204);
    expect(said(await post(addressOf(webhook), '{"text":"x"}'))).toEqual([404, 'no_service']);
  });

  it('have an address that is no token, and a secret that is kept by its hash alone', async () => {
    const webhook = await make('once', 'the-key');
    const secret = addressOf(webhook).split('/').at(-1) ?? '';
    for (const route of ['/v1/me', '/v1/channels']) expectProblem(await fetchApi(route, { headers: { Authorization: `Bearer ${secret}` } }), 'unauthenticated');
    const again = await make('once', 'the-key');
    expect(again).toEqual({ ...webhook, url: null });
    expect(JSON.stringify(await list())).not.toContain('hooks/incoming');
    const [kept] = await onPostgres((db) => db.execute<{ n: number }>(sql`SELECT count(*)::integer AS n FROM idempotency_keys k WHERE k.body LIKE ${`%${secret}%`}`));
    expect(kept?.n).toBe(0);
  });

  it('are for owners and admins of the channel alone', async () => {
    const [bob, eve] = [await newCaller(), await newCaller()];
    const webhook = await make();
    expect((await ada.call('POST', `/v1/channels/${channel}/members`, { user_id: bob.user.id })).status).toBe(201);
    for (const [method, route, body] of [['GET', path], ['POST', path, { name: 'x' }], ['POST', `${path}/${webhook.id}/rotate-secret`], ['DELETE', `${path}/${webhook.id}`]] as const) {
      expectProblem(await bob.call(method, route, body), 'forbidden');
      expectProblem(await eve.call(method, route, body), 'not_found');
    }
    expect((await ada.call('PATCH', `/v1/channels/${channel}/members/${bob.user.id}`, { role: 'admin' })).status).toBe(200);
    expect((await list('', bob)).data.map(({ id }) => id)).toEqual([webhook.id]);
    const other = await newChannel(ada);
    for (const [method, more] of [['POST', '/rotate-secret'], ['DELETE', '']] as const) expectProblem(await ada.call(method, `/v1/channels/${other.id}/incoming-webhooks/${webhook.id}${more}`), 'not_found');
  });

  it('are listed page by page, and are so many at most (G8)', async () => {
    const made = [await make('1'), await make('2'), await make('3')];
    const first = await list('?limit=2');
    const rest = await list(`?limit=2&cursor=${first.next_cursor}`);
    expect([...first.data, ...rest.data].map(({ id, bot }) => [id, bot.display_name])).toEqual(made.map(({ id }, n) => [id, `${n + 1}`]));
    await onPostgres((db) => db.execute(sql`
      INSERT INTO incoming_webhooks (id, channel_id, bot_id, credential_id, created_by, created_at)
      SELECT gen_random_uuid(), ${channel}, ${made[0]?.bot.id ?? ''}, gen_random_uuid(), ${ada.user.id}, now() FROM generate_series(1, ${MAX_INCOMING_WEBHOOKS - 3})`));
    expectProblem(await ada.call('POST', path, { name: 'one more' }), 'conflict');
  });

  it('need no cookie, and no page of another origin may use them beside one', async () => {
    const { url } = await make();
    const forged = await post(url ?? '', '{"text":"x"}', { Cookie: '__Host-colink=x', Origin: 'https://evil.example' });
    expect([forged.status, forged.headers.get('access-control-allow-origin')]).toEqual([403, null]);
  });
});
