import { setTimeout as sleep } from 'node:timers/promises';
import { ErrorCode, type WebClient, WebClientEvent, type WebClientOptions } from '@slack/web-api';
import { IncomingWebhook } from '@slack/webhook';
import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { newIncomingWebhookSchema } from '../protocol/incoming-webhooks.ts';
import { MAX_FORM_BODY_BYTES } from '../protocol/limits.ts';
import { rawRequest } from './support/raw-http.ts';
import { pages, refusal, slackClient } from './support/slack.ts';
import { type SlackWorld, startSlackWorld, tsOf } from './support/slack-world.ts';
import type { World, WorldUser } from './support/world.ts';

let world: World;
let alice: WorldUser;
let bob: WorldUser;
let slack: WebClient;
let bobs: WebClient;
let channel: string;
let newChannel: SlackWorld['newChannel'];
const clientOf = (token: string | undefined, more: WebClientOptions = {}) => slackClient(world.baseUrl, token, more);

beforeAll(async () => {
  ({ world, alice, bob, slack, bobs, channel, newChannel } = await startSlackWorld('slack'));
});
afterAll(() => world?.close());

const message = z.looseObject({ text: z.string(), ts: z.string() });

/** In one commit, so that many are of one millisecond. */
async function importMessages(into: string, messages: readonly object[]): Promise<void> {
  const { token } = await world.user('alice', { scopes: ['messages:import'] });
  const made = await fetch(`${world.baseUrl}/v1/channels/${into}/message-batches`, { method: 'POST', headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }, body: JSON.stringify({ messages }) });
  expect(made.status).toBe(201);
}

describe('who calls', () => {
  it('is asked of the token, in the header or in the body', async () => {
    const host = new URL(world.baseUrl).host;
    const me = await slack.auth.test();
    expect(me).toMatchObject({ ok: true, url: `${world.baseUrl}/`, team: host, user: 'alice', user_id: alice.id, team_id: 'TCOLINK' });
    expect(me.response_metadata?.scopes).toEqual(['messages:read', 'messages:write', 'channels:read', 'channels:write', 'webhooks']);
    const inBody = await fetch(`${world.baseUrl}/slack/api/auth.test`, { method: 'POST', body: new URLSearchParams({ token: bob.token }) });
    expect(await inBody.json()).toMatchObject({ ok: true, user: 'bob' });
    expect(await slack.apiCall('api.test', { foo: 'bar' })).toMatchObject({ ok: true, args: { foo: 'bar' } });
    expect(await refusal(clientOf(undefined).api.test({ error: 'my_error' }))).toBe('my_error');
  });

  it('is refused in Slack\'s words, and never let in by a cookie or the query (G5)', async () => {
    const [gone, short, narrow] = [await world.user('gone'), await world.user('short', { tokenMs: 500 }), await world.user('narrow', { scopes: ['messages:read'] })];
    await gone.api.logout();
    expect(await refusal(clientOf(undefined).auth.test())).toBe('not_authed');
    expect(await refusal(clientOf('xoxb-of-slack').auth.test())).toBe('invalid_auth');
    expect(await refusal(clientOf(`colink_pat_${'A'.repeat(43)}`).auth.test())).toBe('invalid_auth');
    expect(await refusal(clientOf(gone.token).auth.test())).toBe('token_revoked');
    await sleep(600);
    expect(await refusal(clientOf(short.token).auth.test())).toBe('token_expired');
    const left = await world.user('left');
    const known = await world.user('known');
    expect(await clientOf(known.token).auth.test()).toMatchObject({ ok: true });
    await world.sql`UPDATE users SET deactivated_at = now() WHERE id = ${known.id}`;
    const asKnown = clientOf(known.token);
    for (const call of [() => asKnown.auth.test(), () => asKnown.users.info({ user: alice.id }), () => asKnown.users.list({}), () => asKnown.conversations.list()]) expect(await refusal(call())).toBe('account_inactive');
    await world.sql`UPDATE users SET deactivated_at = now() WHERE id = ${left.id}`;
    expect(await refusal(clientOf(left.token).auth.test())).toBe('account_inactive');
    const refused = await clientOf(narrow.token).chat.postMessage({ channel, text: 'x' }).catch((error: { data: object }) => error.data);
    expect(refused).toMatchObject({ ok: false, error: 'missing_scope', needed: 'messages:write', provided: 'messages:read' });
    expect(await clientOf(narrow.token).auth.test()).toMatchObject({ ok: true });
    for (const init of [{ headers: { cookie: `__Host-colink=${alice.token}; colink=${alice.token}` } }, {}]) {
      const answer = await fetch(`${world.baseUrl}/slack/api/auth.test?token=${alice.token}`, init);
      expect([answer.status, await answer.json()]).toMatchObject([200, { ok: false, error: 'not_authed' }]);
    }
    expect(await refusal(slack.apiCall('files.nothing'))).toBe('unknown_method');
  });
});

describe('arguments of any shape', () => {
  const call = async (method: string, args: string) => {
    const answer = await fetch(`${world.baseUrl}/slack/api/${method}`, { method: 'POST', headers: { Authorization: `Bearer ${alice.token}`, 'Content-Type': 'application/json' }, body: args });
    return [answer.status, z.looseObject({}).parse(await answer.json())['error']];
  };

  it('are no fault of ours', async () => {
    expect(await call('api.test', '{"error":{"toString":1}}')).toEqual([200, '{"toString":1}']);
    expect(await call('api.test', `{"error":${'['.repeat(20_000)}${']'.repeat(20_000)}}`)).toEqual([200, expect.stringContaining('[[[')]);
    for (const name of ['a\\u0000b', '#\\ud800', '\\u0000', 'x'.repeat(10_000)]) expect(await call('chat.postMessage', `{"channel":"${name}","text":"a"}`)).toEqual([200, 'channel_not_found']);
  });
});

describe('arguments in parts (multipart/form-data)', () => {
  const call = async (method: string, fields: Record<string, string | Blob>, headers: Record<string, string> = {}) => {
    const form = new FormData();
    for (const [name, value] of Object.entries(fields)) form.append(name, value);
    const answer = await fetch(`${world.baseUrl}/slack/api/${method}`, { method: 'POST', headers: { Authorization: `Bearer ${alice.token}`, ...headers }, body: form });
    return { status: answer.status, replayed: answer.headers.get('idempotency-replayed'), ...z.looseObject({ ok: z.boolean(), error: z.string().optional() }).parse(await answer.json()) };
  };

  it('are those of any form, with the token among them', async () => {
    expect(await call('chat.postMessage', { channel: await newChannel(), text: 'in parts & 漢字' })).toMatchObject({ status: 200, ok: true, message: { text: 'in parts &amp; 漢字' } });
    expect(await call('auth.test', { token: bob.token }, { Authorization: '' })).toMatchObject({ ok: true, user: 'bob' });
  });

  it('are fields alone, of no more bytes than in any form', async () => {
    expect(await call('chat.postMessage', { channel, text: 'with a file', file: new Blob(['x']) })).toMatchObject({ status: 200, ok: false, error: 'invalid_form_data', response_metadata: { messages: ['[ERROR] file is a file, of which no method takes any'] } });
    expect(await call('chat.postMessage', { channel, text: 'x', bytes: new Blob([Uint8Array.of(0xff)]) })).toMatchObject({ status: 200, ok: false, error: 'invalid_form_data' });
    const type = 'multipart/form-data; boundary=of-which-there-is-one-and-no-end';
    const large = await rawRequest(world.baseUrl, { method: 'POST', path: '/slack/api/api.test', headers: { 'content-type': type, 'content-length': String(MAX_FORM_BODY_BYTES + 1) }, body: '-' });
    expect([large.status, JSON.parse(large.text)]).toMatchObject([200, { ok: false, error: 'msg_too_long' }]);
    const cut = await fetch(`${world.baseUrl}/slack/api/api.test`, { method: 'POST', headers: { 'Content-Type': type }, body: '--of-which-there-is-one-and-no-end\r\nContent-Disposition: form-data; name="a"\r\n\r\n1' });
    expect([cut.status, await cut.json()]).toMatchObject([200, { ok: false, error: 'invalid_form_data' }]);
  });

  it('are the same under a key, whatever stands between them (G2)', async () => {
    const [id, key] = [await newChannel(), { 'Idempotency-Key': uuidv7() }];
    const { ts } = await slack.chat.postMessage({ channel: id, text: 'to react to' });
    const react = (name: string) => call('reactions.add', { channel: id, timestamp: ts ?? '', name }, key);
    expect([await react('tada'), await react('tada'), await react('eyes')]).toMatchObject([{ ok: true, replayed: null }, { ok: true, replayed: 'true' }, { ok: false, error: 'invalid_arguments' }]);
  });
});

describe('limits', () => {
  it('are those of /v1, counted together, and tell clients when to come back (G8)', async () => {
    const hasty = await world.user('hasty');
    const impatient = clientOf(hasty.token, { rejectRateLimitedCalls: true });
    const call = (client: WebClient) => client.chat.delete({ channel: uuidv7(), ts: '1.1' });
    const isLimited = z.looseObject({ code: z.literal(ErrorCode.RateLimitedError), retryAfter: z.literal(60) });
    let limited = false;
    // Of 600 a minute, which the platform counts by the clock: a run may fall into two of them.
    for (let made = 0; made <= 1_200 && !limited; made += 50) {
      const answers = await Promise.all(Array.from({ length: 50 }, () => call(impatient).catch((error: unknown) => error)));
      limited = answers.some((answer) => isLimited.safeParse(answer).success);
    }
    expect(limited).toBe(true);
    await expect(hasty.api.createChannel({ name: 'x y', kind: 'public', topic: '' })).rejects.toMatchObject({ code: 'rate_limited' });
    expect(await impatient.auth.test()).toMatchObject({ ok: true });

    // Refused once, as the hasty one is, and told to wait a second instead of a minute, which the test has not.
    const tokens = [hasty.token, bob.token];
    const waits: number[] = [];
    const patient = clientOf(bob.token, { fetch: async (url, init) => {
      const answer = await fetch(url, { ...init, headers: { ...init?.headers, Authorization: `Bearer ${tokens.shift()}` } });
      return answer.status === 429 ? new Response(answer.body, { status: 429, headers: { 'Retry-After': answer.headers.get('retry-after') === '60' ? '1' : 'x' } }) : answer;
    } });
    patient.on(WebClientEvent.RATE_LIMITED, (seconds: number) => waits.push(seconds));
    expect(await refusal(call(patient))).toBe('channel_not_found');
    expect([waits, tokens]).toEqual([[1], []]);
  });
});

describe('messages', () => {
  it('are posted by id and by name, and read back as they were, whatever they hold', async () => {
    const text = 'a &lt;b&gt; &amp;amp; "c" – ğ 漢字 👩‍👩‍👧 <https://x.example/?a=1&amp;b=2> `code`\nline two';
    const sent = await slack.chat.postMessage({ channel: '#general-talk', text });
    expect(sent).toMatchObject({ ok: true, channel, message: { type: 'message', user: alice.id, text, ts: sent.ts } });
    expect(tsOf(sent)).toMatch(/^\d{10}\.\d{6}$/);
    expect(Math.abs(Number(sent.ts) - Date.now() / 1_000)).toBeLessThan(30);
    const mention = await slack.chat.postMessage({ channel, text: `<@${bob.id}> and <!here>, see <#${channel}> and <https://y.example|y> :tada:` });
    const { messages } = await bobs.conversations.history({ channel, limit: 2 });
    expect(messages?.map((message) => message.text)).toEqual([`<@${bob.id}> and <!here>, see #general-talk and y (<https://y.example>) 🎉`, text]);
    expect(messages?.map((message) => message.ts)).toEqual([mention.ts, sent.ts]);
    const { data } = await alice.api.history(channel);
    expect(data.map((message) => message.text)).toEqual(['a <b> &amp; "c" – ğ 漢字 👩‍👩‍👧 https://x.example/?a=1&b=2 `code`\nline two', '@bob and @here, see #general-talk and y (https://y.example) 🎉']);
  });

  it('of blocks and attachments are what those say; what means nothing here is warned of', async () => {
    const sent = await slack.chat.postMessage({ channel, blocks: [{ type: 'section', text: { type: 'mrkdwn', text: '*hi* <!channel>' } }], attachments: [{ fallback: 'f', text: 'more' }], icon_emoji: ':x:', username: 'me' });
    expect(sent).toMatchObject({ message: { text: '*hi* <!channel>\nmore' }, warning: 'ignored_arguments' });
    expect(sent.response_metadata?.messages).toEqual(['[WARN] icon_emoji does nothing here', '[WARN] username does nothing here']);
  });

  it('are sent once by a client_msg_id or a key (G2)', async () => {
    const own = await newChannel();
    const again = () => slack.apiCall('chat.postMessage', { channel: own, text: 'once', client_msg_id: 'the-same' });
    const sent = await Promise.all([again(), again(), again()]);
    expect(new Set(sent.map((answer) => z.looseObject({ ts: z.string() }).parse(answer).ts)).size).toBe(1);
    const keyed = clientOf(alice.token, { headers: { 'Idempotency-Key': 'a-key' } });
    expect(tsOf(await keyed.chat.postMessage({ channel: own, text: 'keyed' }))).toBe(tsOf(await keyed.chat.postMessage({ channel: own, text: 'keyed' })));
    expect((await slack.conversations.history({ channel: own })).messages?.map((message) => message.text)).toEqual(['keyed', 'once']);
  });

  it('are changed and deleted by their ts at once, by their author alone', async () => {
    const own = await newChannel(bob);
    const sent = await slack.chat.postMessage({ channel: own, text: 'first' });
    const at = { channel: own, ts: tsOf(sent) };
    expect(await slack.chat.update({ ...at, text: 'second &amp; last' })).toMatchObject({ ...at, text: 'second &amp; last' });
    expect(await refusal(bobs.chat.update({ ...at, text: 'x' }))).toBe('cant_update_message');
    expect(await refusal(bobs.chat.delete(at))).toBe('cant_delete_message');
    const { messages } = await slack.conversations.history({ channel: own });
    expect(messages).toMatchObject([{ text: 'second &amp; last', ts: sent.ts, edited: { user: alice.id, ts: expect.stringMatching(/^\d{10}\.\d{6}$/) } }]);
    expect(await slack.chat.getPermalink({ channel: own, message_ts: tsOf(sent) })).toMatchObject({ permalink: expect.stringContaining(`${world.baseUrl}/channels/${own}/messages/`) });
    expect(await slack.chat.delete(at)).toMatchObject(at);
    const refused = await Promise.all([slack.chat.update({ ...at, text: 'x' }), slack.chat.delete(at), slack.reactions.add({ channel: own, timestamp: at.ts, name: 'x' }), slack.chat.getPermalink({ channel: own, message_ts: at.ts })].map(refusal));
    expect(refused).toEqual(refused.map(() => 'message_not_found'));
    expect((await slack.conversations.history({ channel: own })).messages).toEqual([]);
  });

  it('are changed no more once the window is over', async () => {
    const own = await newChannel();
    const sent = await slack.chat.postMessage({ channel: own, text: 'as it is' });
    await world.sql`UPDATE workspace_settings SET edit_window_seconds = 0`;
    expect(await refusal(slack.chat.update({ channel: own, ts: tsOf(sent), text: 'x' }))).toBe('edit_window_closed');
    await world.sql`UPDATE workspace_settings SET edit_window_seconds = 900`;
    expect((await slack.conversations.history({ channel: own })).messages).toMatchObject([{ text: 'as it is' }]);
  });

  it.each([
    ['no_text', { text: ' ' }],
    ['msg_too_long', { text: '漢'.repeat(10_001) }],
    ['invalid_arguments', { text: 'a\u0000' }],
    ['channel_not_found', { channel: '#nowhere', text: 'x' }],
    ['channel_not_found', { channel: 'C024BE91L', text: 'x' }],
    ['channel_not_found', { channel: uuidv7(), text: 'x' }],
    ['thread_not_found', { text: 'x', thread_ts: '1.000001' }],
    ['invalid_arguments', { text: 'x', thread_ts: '1.000001', reply_broadcast: true as const }],
  ])('are refused as %s', async (word, wish) => {
    expect(await refusal(slack.chat.postMessage({ channel, ...wish }))).toBe(word);
  });

  it('may be as long as any, in a form of three times the bytes', async () => {
    expect(await slack.chat.postMessage({ channel, text: '漢'.repeat(10_000) })).toMatchObject({ ok: true });
    expect(await refusal(slack.chat.postMessage({ channel, text: '漢'.repeat(40_000) }))).toBe('msg_too_long');
  });

  it('answer one another in threads', async () => {
    const own = await newChannel(bob);
    const root = await slack.chat.postMessage({ channel: own, text: 'root' });
    const sent = [];
    for (const n of [1, 2, 3, 4, 5]) sent.push(tsOf(await bobs.chat.postMessage({ channel: own, text: `reply ${n}`, thread_ts: tsOf(root) })));
    const toReply = await slack.chat.postMessage({ channel: own, text: 'reply 6', thread_ts: sent[0] ?? '' });
    const all = await slack.conversations.replies({ channel: own, ts: tsOf(root) });
    expect(all.messages?.map(({ text }) => text)).toEqual(['root', ...[1, 2, 3, 4, 5, 6].map((n) => `reply ${n}`)]);
    expect(all.messages?.map((message) => message.ts)).toEqual([root.ts, ...sent, toReply.ts]);
    expect(all.messages?.[0]).toMatchObject({ reply_count: 6, thread_ts: root.ts });
    expect(all.messages?.slice(1).every((message) => message.thread_ts === root.ts && message.parent_user_id === alice.id)).toBe(true);
    const paged = await pages(slack, 'conversations.replies', 'messages', message, { channel: own, ts: sent[2], limit: 2 });
    expect(paged.map(({ text }) => text)).toEqual(all.messages?.map(({ text }) => text));
    const between = await slack.conversations.replies({ channel: own, ts: tsOf(root), oldest: sent[1] ?? '', latest: sent[3] ?? '' });
    expect(between.messages?.map(({ text }) => text)).toEqual(['root', 'reply 3']);
    expect((await slack.conversations.history({ channel: own })).messages).toMatchObject([{ text: 'root', reply_count: 6, thread_ts: root.ts }]);
    await slack.chat.delete({ channel: own, ts: tsOf(root) });
    expect((await slack.conversations.history({ channel: own })).messages).toMatchObject([{ subtype: 'tombstone', reply_count: 6 }]);
    expect(await refusal(slack.conversations.replies({ channel: own, ts: '1.000001' }))).toBe('thread_not_found');
  });
});

describe('history', () => {
  it('is paged from the newest on, all of it once, and bounded by ts and by time', async () => {
    const own = await newChannel();
    const texts = Array.from({ length: 450 }, (_, n) => `message ${n}`);
    for (let at = 0; at < 450; at += 150) await importMessages(own, texts.slice(at, at + 150).map((text) => ({ client_msg_id: text.replace(' ', '-'), text })));
    const read = await pages(slack, 'conversations.history', 'messages', message, { channel: own, limit: 70 });
    expect(read.map(({ text }) => text)).toEqual(texts.toReversed());
    expect(new Set(read.map((message) => message.ts)).size).toBe(450);
    expect(read.map((message) => message.ts)).toEqual(read.map((message) => message.ts).toSorted().toReversed());

    const at = (n: number): string => read[449 - n]?.ts ?? '';
    const span = async (wish: object) => (await slack.conversations.history({ channel: own, ...wish })).messages?.map(({ text }) => text).toReversed();
    for (const n of [0, 1, 149, 150, 300, 447]) {
      expect(await span({ oldest: at(n), latest: at(n + 2) })).toEqual([texts[n + 1]]);
      expect(await span({ oldest: at(n), latest: at(n + 2), inclusive: true })).toEqual(texts.slice(n, n + 3));
      expect(await span({ latest: at(n), inclusive: true, limit: 1 })).toEqual([texts[n]]);
    }
    expect(await span({ oldest: at(448) })).toEqual([texts[449]]);
    expect(await span({ oldest: String(Date.now() / 1_000 + 60) })).toEqual([]);
    expect(await span({ latest: '1000000000' })).toEqual([]);
    expect(await span({ oldest: '1000000000', limit: 2 })).toEqual(texts.slice(448));
    expect(await refusal(slack.conversations.history({ channel: own, oldest: 'yesterday' }))).toBe('invalid_ts_oldest');
    expect(await refusal(slack.conversations.history({ channel: own, cursor: 'bogus' }))).toBe('invalid_cursor');
  });

  it('shows where messages come from, and who is a bot', async () => {
    const own = await newChannel();
    await importMessages(own, [{ client_msg_id: 'old', text: 'from elsewhere', origin: { source: 'irc', author: 'nick', sent_at: '2005-01-01T00:00:00Z' } }]);
    expect((await slack.conversations.history({ channel: own })).messages).toMatchObject([{ text: 'from elsewhere', username: 'nick', user: alice.id }]);
    const made = await fetch(`${world.baseUrl}/v1/channels/${own}/incoming-webhooks`, { method: 'POST', headers: { Authorization: `Bearer ${alice.token}`, 'Content-Type': 'application/json' }, body: '{"name":"CI"}' });
    const { url, bot } = newIncomingWebhookSchema.parse(await made.json());
    expect(await new IncomingWebhook(url ?? '').send('by the official package')).toEqual({ text: 'ok' });
    await expect(new IncomingWebhook(`${url}x`).send('x')).rejects.toMatchObject({ statusCode: 404, body: 'no_service' });
    expect((await slack.conversations.history({ channel: own, limit: 1 })).messages).toMatchObject([{ text: 'by the official package', user: bot.id, bot_id: bot.id }]);
  });
});

describe('the border itself', () => {
  it('takes JSON, forms and queries, and nothing else', async () => {
    const ask = async (init: RequestInit, query = '') => (await fetch(`${world.baseUrl}/slack/api/conversations.info${query}`, { ...init, headers: { Authorization: `Bearer ${alice.token}`, ...init.headers } })).json();
    const json = (body: string) => ask({ method: 'POST', body, headers: { 'Content-Type': 'application/json; charset=utf-8' } });
    for (const answer of [await json(JSON.stringify({ channel })), await ask({ method: 'POST', body: new URLSearchParams({ channel }) }), await ask({}, `?channel=${channel}`), await ask({ method: 'POST' }, `?channel=${channel}`)]) {
      expect(answer).toMatchObject({ ok: true, channel: { id: channel } });
    }
    for (const body of ['{', '[]', 'null', '7']) expect(await json(body)).toMatchObject({ ok: false, error: 'invalid_post_type' });
    expect(await ask({ method: 'POST', body: `channel=${channel}`, headers: { 'Content-Type': 'multipart/mixed; boundary=x' } })).toMatchObject({ ok: false, error: 'invalid_form_data' });
    expect(await ask({ method: 'POST', body: Uint8Array.of(0xff) })).toMatchObject({ ok: false, error: 'invalid_form_data' });
    expect(await json('{}')).toMatchObject({ ok: false, error: 'invalid_arguments', response_metadata: { messages: [expect.stringContaining('/channel')] } });
    expect(await json(JSON.stringify({ channel: { $gt: '' } }))).toMatchObject({ ok: false, error: 'invalid_arguments' });
    const refused = await fetch(`${world.baseUrl}/slack/api/auth.test`, { method: 'PUT' });
    expect([refused.status, refused.headers.get('allow')?.split(', ').toSorted()]).toEqual([405, ['GET', 'HEAD', 'POST']]);
  });

  it('has clients try again while Postgres is away, and posts meanwhile', async () => {
    const own = await newChannel();
    const sent = await slack.chat.postMessage({ channel: own, text: 'before' });
    world.pausePostgres();
    try {
      const posted = await slack.chat.postMessage({ channel: own, text: 'meanwhile' });
      expect(await slack.chat.update({ channel: own, ts: tsOf(posted), text: 'meanwhile, changed' })).toMatchObject({ ok: true });
      expect(await slack.reactions.add({ channel: own, timestamp: tsOf(sent), name: '+1' })).toMatchObject({ ok: true });
      const once = clientOf(alice.token, { retryConfig: { retries: 0 } });
      await expect(once.conversations.history({ channel: own })).rejects.toMatchObject({ code: ErrorCode.HTTPError, statusCode: 503 });
      const reading = clientOf(alice.token, { retryConfig: { retries: 10, minTimeout: 500, factor: 1 } }).conversations.history({ channel: own });
      setTimeout(() => world.resumePostgres(), 1_000);
      expect((await reading).messages?.map(({ text }) => text)).toEqual(['meanwhile, changed', 'before']);
    } finally {
      world.resumePostgres();
    }
  });
});
