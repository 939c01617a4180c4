import { env } from 'cloudflare:workers';
import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test';
import { sql } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import { describe, expect, it, vi } from 'vitest';
import { messagePageSchema } from '../../protocol/api.ts';
import { MAX_SCHEDULED, type ScheduledMessage, scheduledMessagePageSchema, scheduledMessageSchema } from '../../protocol/scheduled-messages.ts';
import { soon } from '../../tests/support/soon.ts';
import { type Answer, bodyOf, type Caller, drained, expectProblem, newCaller, newChannel, onPostgres, ORIGIN, send } from '../api-fixture.ts';
import { createApp } from '../app.ts';
import { createServices } from '../services.ts';
import { bearer, liveEventsOf, INBOX_SOCKET, openSocket } from '../socket-fixture.ts';

const MINE = '/v1/me/scheduled-messages';
const inSeconds = (seconds: number): string => new Date(Date.now() + seconds * 1_000).toISOString();

const schedule = (who: Caller, channelId: string, more: object = {}, headers: Record<string, string> = {}): Promise<Answer> =>
  who.call('POST', `/v1/channels/${channelId}/scheduled-messages`, { text: 'later', send_at: inSeconds(3_600), ...more }, headers);
const scheduled = async (...args: Parameters<typeof schedule>): Promise<ScheduledMessage> => bodyOf(await schedule(...args), 201, scheduledMessageSchema);
const listed = async (who: Caller, query = ''): Promise<ScheduledMessage[]> => bodyOf(await who.call('GET', `${MINE}${query}`), 200, scheduledMessagePageSchema).data;
const at = (id: string): string => `${MINE}/${id}`;
const patch = (who: Caller, { id, version }: ScheduledMessage, body: object) => who.call('PATCH', at(id), body, { 'If-Match': `"${version}"` });

describe('a message that is scheduled', () => {
  it('waits for its time, is listed in that order for its author alone, and can be changed, sent at once and cancelled (G5)', async () => {
    const [ada, bob] = [await newCaller(), await newCaller()];
    const { id: channel } = await newChannel(ada);
    const made = await schedule(ada, channel, { text: 'second' });
    const second = bodyOf(made, 201, scheduledMessageSchema);
    expect([made.headers.get('etag'), made.headers.get('location')]).toEqual(['"1"', at(second.id)]);
    const first = await scheduled(ada, channel, { text: 'first', send_at: inSeconds(60) });
    expect(first).toMatchObject({ channel_id: channel, thread_id: null, text: 'first', status: 'pending', failure: null, message_id: null, file_ids: [], version: 1 });
    expect((await listed(ada)).map(({ text }) => text)).toEqual(['first', 'second']);
    expect(await listed(bob)).toEqual([]);
    const pages = [bodyOf(await ada.call('GET', `${MINE}?limit=1`), 200, scheduledMessagePageSchema)];
    pages.push(bodyOf(await ada.call('GET', `${MINE}?limit=1&cursor=${pages[0]?.next_cursor}`), 200, scheduledMessagePageSchema));
    expect(pages.map(({ data, next_cursor }) => [data[0]?.text, next_cursor === null])).toEqual([['first', false], ['second', true]]);
    expect(await listed(ada, `?channel_id=${uuidv7()}`)).toEqual([]);
    expect(await listed(ada, '?status=failed')).toEqual([]);

    const changed = bodyOf(await patch(ada, second, { text: 'third', send_at: inSeconds(30) }), 200, scheduledMessageSchema);
    expect(changed).toMatchObject({ text: 'third', version: 2 });
    expect((await listed(ada)).map(({ text }) => text)).toEqual(['third', 'first']);
    expectProblem(await patch(ada, second, { text: 'fourth' }), 'precondition_failed');
    expectProblem(await ada.call('PATCH', at(second.id), { text: 'fourth' }), 'precondition_required');
    const due = bodyOf(await ada.call('POST', `${at(first.id)}/send-now`), 202, scheduledMessageSchema);
    expect(Date.parse(due.send_at)).toBeLessThanOrEqual(Date.now() + 1_000);
    expect((await ada.call('DELETE', at(first.id))).status).toBe(204);
    for (const [method, path] of [['GET', at(first.id)], ['DELETE', at(first.id)], ['POST', `${at(first.id)}/send-now`]] as const) expectProblem(await ada.call(method, path), 'not_found');
    for (const [method, path, body] of [['GET', at(second.id)], ['DELETE', at(second.id)], ['POST', `${at(second.id)}/send-now`], ['PATCH', at(second.id), { text: 'x' }]] as const) {
      expectProblem(await bob.call(method, path, body, { 'If-Match': '"2"' }), 'not_found');
    }
  });

  it('is made once for a key, also after its time could not be given any more (G2)', async () => {
    const ada = await newCaller();
    const { id: channel } = await newChannel(ada);
    const body = { text: 'once', send_at: inSeconds(9) };
    const one = await schedule(ada, channel, body, { 'Idempotency-Key': 'k' });
    await soon(() => expect(Date.now()).toBeGreaterThan(Date.parse(body.send_at) - 4_500));
    const again = await schedule(ada, channel, body, { 'Idempotency-Key': 'k' });
    expect([again.status, again.body, again.headers.get('idempotency-replayed')]).toEqual([201, one.body, 'true']);
    expectProblem(await schedule(ada, channel, body), 'invalid');
    expect(await listed(ada)).toHaveLength(1);
  });

  it('is refused where it is out of bounds, or could not be sent (G5, G8)', async () => {
    const [ada, bob, guest] = [await newCaller(), await newCaller(), await newCaller({ role: 'guest' })];
    const [open, secret] = [(await newChannel(ada)).id, (await newChannel(ada, 'private')).id];
    const root = await send(ada, open, 'root');
    const reply = await send(ada, open, 'reply', { thread_id: root.message_id });
    await drained(open, reply.seq ?? 0);
    const bad = [
      { send_at: inSeconds(3) }, { send_at: inSeconds(121 * 86_400) }, { send_at: 'tomorrow' }, { send_at: '0000-01-01T00:00:00.000Z' }, { text: ' ' }, { text: 'x'.repeat(10_001) }, { other: 1 },
      { thread_id: uuidv7() }, { thread_id: reply.message_id }, { file_ids: [uuidv7()] }, { file_ids: [] },
    ];
    for (const more of bad) expectProblem(await schedule(ada, open, more), 'invalid');
    expectProblem(await schedule(ada, secret, { thread_id: root.message_id }), 'invalid');
    expect(await scheduled(ada, open, { thread_id: root.message_id })).toMatchObject({ thread_id: root.message_id });
    const moment = inSeconds(90);
    expect(await scheduled(ada, open, { send_at: new Date(Date.parse(moment) + 7_200_000).toISOString().replace('Z', '+02:00') })).toMatchObject({ send_at: moment });
    expectProblem(await schedule(bob, open), 'not_a_member');
    for (const [who, channel] of [[bob, secret], [guest, open], [bob, uuidv7()]] as const) expectProblem(await schedule(who, channel), 'not_found');
    const mine = await scheduled(ada, open);
    for (const body of [{ send_at: inSeconds(1) }, { file_ids: [uuidv7()] }, {}]) expectProblem(await patch(ada, mine, body), 'invalid');
    for (const cursor of ['x', btoa('scheduled\n1 2').replaceAll('=', '')]) expectProblem(await ada.call('GET', `${MINE}?cursor=${cursor}`), 'bad_cursor');
    await ada.call('POST', `/v1/channels/${open}/archive`);
    expectProblem(await schedule(ada, open), 'channel_archived');
  });

  it('has as many beside it as may wait for a channel, and no more, whoever asks at once (G8)', async () => {
    const ada = await newCaller();
    const [channel, other] = [(await newChannel(ada)).id, (await newChannel(ada)).id];
    await onPostgres((db) => db.execute(sql`
      INSERT INTO scheduled_messages (id, author_id, channel_id, text, send_at, due_at)
      SELECT gen_random_uuid(), ${ada.user.id}, ${channel}, 'x', now() + interval '1 hour', now() + interval '1 hour' FROM generate_series(1, ${MAX_SCHEDULED - 3}::integer)`));
    const answers = await Promise.all(Array.from({ length: 8 }, () => schedule(ada, channel)));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 201, 201, 409, 409, 409, 409, 409]);
    expect((await schedule(ada, other)).status).toBe(201);
  });
});

const app = createApp(createServices());

async function fleet(body: object, authorization = 'Bearer secret'): Promise<{ status: number; body: unknown }> {
  const context = createExecutionContext();
  const headers = { 'Content-Type': 'application/json', Authorization: authorization };
  const request = new Request(`${ORIGIN}/internal/scheduled-messages`, { method: 'POST', headers, body: JSON.stringify(body) });
  const response = await app.fetch(request, { ...env, FLEET_TOKEN: 'secret' }, context);
  const answer = { status: response.status, body: await response.json() };
  await waitOnExecutionContext(context);
  return answer;
}

const dueOf = (who: Caller, channel_id: string, more: object = {}) => ({ id: uuidv7(), author_id: who.user.id, channel_id, thread_id: null, text: 'due', file_ids: [], ...more });
const outcome = async (due: object): Promise<unknown> => {
  const { status, body } = await fleet(due);
  expect({ status, body }).toMatchObject({ status: 200 });
  return body;
};
const texts = async (who: Caller, channel: string): Promise<string[]> =>
  bodyOf(await who.call('GET', `/v1/channels/${channel}/messages`), 200, messagePageSchema).data.map(({ text }) => text);

describe('what the fleet has sent', () => {
  it('is sent once, in the author\'s name, however often it is called for, and by nobody without the secret (G2, G5)', async () => {
    const ada = await newCaller();
    const { id: channel } = await newChannel(ada);
    const due = dueOf(ada, channel);
    const [one, ...others] = await Promise.all(Array.from({ length: 5 }, () => outcome(due)));
    expect(one).toMatchObject({ status: 'sent' });
    expect(others).toEqual([one, one, one, one]);
    const last = await send(ada, channel, 'after');
    await drained(channel, last.seq ?? 0);
    expect(await texts(ada, channel)).toEqual(['due', 'after']);
    expect(await fleet(due, 'Bearer wrong')).toMatchObject({ status: 404 });
    for (const body of [{ ...due, text: '' }, { ...due, extra: 1 }, { id: due.id }]) expect(await fleet(body)).toMatchObject({ status: 422 });
  });

  it('is refused where its author may not send it any more; what was sent before that stays sent (G2, G5)', async () => {
    const [ada, bob] = [await newCaller(), await newCaller()];
    const { id: channel } = await newChannel(ada, 'private');
    await ada.call('POST', `/v1/channels/${channel}/members`, { user_id: bob.user.id });
    const [root, gone] = [await send(ada, channel, 'root'), await send(ada, channel, 'gone')];
    await ada.call('DELETE', `/v1/channels/${channel}/messages/${gone.message_id}`);
    const sent = dueOf(bob, channel, { thread_id: root.message_id });
    const before = await outcome(sent);
    expect(before).toMatchObject({ status: 'sent' });
    expect(await outcome({ ...sent, text: 'another text' })).toEqual({ status: 'sent', message_id: (before as { message_id: string }).message_id });
    for (const thread_id of [gone.message_id, uuidv7()]) expect(await outcome(dueOf(bob, channel, { thread_id }))).toEqual({ status: 'refused', failure: 'thread_gone' });

    await ada.call('DELETE', `/v1/channels/${channel}/members/${bob.user.id}`);
    const device = await openSocket(INBOX_SOCKET, bearer(bob));
    const late = dueOf(bob, channel);
    for (let n = 0; n < 2; n += 1) expect(await outcome(late)).toEqual({ status: 'refused', failure: 'not_a_member' });
    const told = () => liveEventsOf(device).filter((event) => event.type === 'scheduled_message.failed');
    await vi.waitFor(() => expect(told()).toMatchObject([{ channel_id: channel, scheduled_message_id: late.id, failure: 'not_a_member' }]), 5_000);
    device.close();
    expect(await outcome(sent)).toEqual(before);
    await onPostgres((db) => db.execute(sql`UPDATE users SET deactivated_at = now() WHERE id = ${bob.user.id}`));
    expect(await outcome(dueOf(bob, channel))).toEqual({ status: 'refused', failure: 'author_deactivated' });
    expect(await outcome(sent)).toEqual(before);
    await ada.call('POST', `/v1/channels/${channel}/archive`);
    expect(await outcome(dueOf(ada, channel))).toEqual({ status: 'refused', failure: 'channel_archived' });
    expect(await outcome(sent)).toEqual(before);
  });

  it('waits for a deactivation of its author that is under way, and is refused then (G5)', async () => {
    const ada = await newCaller();
    const { id: channel } = await newChannel(ada);
    const order: string[] = [];
    await onPostgres((db) => db.transaction(async (tx) => {
      await tx.execute(sql`UPDATE users SET deactivated_at = now() WHERE id = ${ada.user.id}`);
      const sending = outcome(dueOf(ada, channel)).then((answer) => order.push(JSON.stringify(answer)));
      await Promise.race([sending, new Promise((resolve) => {
        setTimeout(resolve, 500);
      })]);
      order.push('deactivated');
    }));
    await expect.poll(() => order).toEqual(['deactivated', '{"status":"refused","failure":"author_deactivated"}']);
  });
});

describe('one that is under way', () => {
  it('can be neither changed nor cancelled, for it may have been sent; one that is settled can be forgotten', async () => {
    const ada = await newCaller();
    const { id: channel } = await newChannel(ada);
    const mine = await scheduled(ada, channel);
    const set = (what: ReturnType<typeof sql>) => onPostgres((db) => db.execute(sql`UPDATE scheduled_messages SET ${what} WHERE id = ${mine.id}`));
    await set(sql`lease = gen_random_uuid(), due_at = now() - interval '1 minute'`);
    const acts = () => Promise.all([patch(ada, mine, { text: 'x' }), ada.call('POST', `${at(mine.id)}/send-now`)]);
    for (const answer of [...(await acts()), await ada.call('DELETE', at(mine.id))]) expectProblem(answer, 'conflict');
    await set(sql`lease = NULL, status = 'failed', failure = 'not_a_member', settled_at = now()`);
    expect(await listed(ada, '?status=failed')).toMatchObject([{ id: mine.id, failure: 'not_a_member', text: 'later' }]);
    for (const answer of await acts()) expectProblem(answer, 'conflict');
    expect((await ada.call('DELETE', at(mine.id))).status).toBe(204);
    expect(await listed(ada)).toEqual([]);
  });
});
