import { env } from 'cloudflare:workers';
import { sql } from 'drizzle-orm';
import { describe, expect, it, vi } from 'vitest';
import { noticeOf, telling } from '../../durable-objects/user-inbox/inbox-fixture.ts';
import { notificationPageSchema } from '../../protocol/api.ts';
import { soon } from '../../tests/support/soon.ts';
import { bodyOf, type Caller, drained, expectProblem, newCaller, newChannel, onPostgres, send } from '../api-fixture.ts';

const LIST = '/v1/me/notifications';
const list = async (caller: Caller, query = '') => bodyOf(await caller.call('GET', `${LIST}${query}`), 200, notificationPageSchema);
const mark = (caller: Caller, read_seq: number | null) => caller.call('POST', `${LIST}/read`, { read_seq });

/** A channel of Ada's and Bob's, and messages of Bob's that Ada is notified of, as the fleet would do it. */
async function notified(count: number) {
  const [ada, bob] = [await newCaller(), await newCaller()];
  const { id: channelId } = await newChannel(ada);
  await bob.call('PUT', `/v1/channels/${channelId}/members/me`);
  const sent = [];
  for (let n = 1; n <= count; n++) sent.push(await send(bob, channelId, `message ${n}`));
  const tell = (message: { message_id: string; seq: number | null; pos: number | null }, more: object = {}) =>
    env.INBOXES.getByName(ada.user.id).tell(ada.user.id, telling({
      notices: [noticeOf(channelId, message.seq ?? 0, { message_id: message.message_id, author_id: bob.user.id, pos: message.pos, role: 'owner', version: 1, ...more })],
    }));
  for (const message of sent) await tell(message);
  await drained(channelId, sent.at(-1)?.seq ?? 0);
  await vi.waitFor(async () => expect((await list(ada)).data).toHaveLength(count), { timeout: 10_000 });
  return { ada, bob, channelId, sent, tell };
}

describe('notifications', () => {
  it('are listed by pages, the newest first, with what their messages say and who wrote them', async () => {
    const { ada, bob, channelId } = await notified(3);
    const first = await ada.call('GET', `${LIST}?limit=2`);
    const page = bodyOf(first, 200, notificationPageSchema);
    expect(page.data.map(({ text, reason, channel_id, author_id, quiet, read }) => [text, reason, channel_id, author_id, quiet, read])).toEqual(
      ['message 3', 'message 2'].map((text) => [text, 'mention', channelId, bob.user.id, false, false]),
    );
    expect([page.users, first.headers.get('link')]).toEqual([[bob.user], expect.stringContaining('rel="next"')]);
    const next = await list(ada, `?limit=2&cursor=${page.next_cursor ?? ''}`);
    expect([next.data.map(({ text }) => text), next.next_cursor]).toEqual([['message 1'], null]);
  });

  it('are read up to a seq or all, and where their channel is read; on all devices, never back', async () => {
    const { ada, channelId, sent } = await notified(4);
    const seqs = (await list(ada)).data.map(({ seq }) => seq).toReversed();
    await ada.call('PUT', `/v1/channels/${channelId}/read-state`, { read_pos: sent[1]?.pos });
    const unread = async () => (await list(ada, '?unread=true')).data.map(({ text }) => text);
    await soon(async () => expect(await unread()).toEqual(['message 4', 'message 3']));
    expect((await mark(ada, seqs[2] ?? 0)).body).toEqual({ read_seq: seqs[2] });
    expect((await mark(ada, 1)).body).toEqual({ read_seq: seqs[2] });
    await soon(async () => expect(await unread()).toEqual(['message 4']));
    const all = await mark(ada, null);
    await soon(async () => expect(await list(ada, '?unread=true')).toMatchObject({ data: [], read_seq: (all.body as { read_seq: number }).read_seq }));
    expect((await list(ada)).data.map(({ read }) => read)).toEqual([true, true, true, true]);
  });

  it('are those of channels that the caller is in, and of messages that stand; quiet ones say so (G5)', async () => {
    const { ada, bob, channelId, sent, tell } = await notified(1);
    const late = await send(bob, channelId, 'in the night');
    await tell(late, { quiet: true });
    await bob.call('DELETE', `/v1/channels/${channelId}/messages/${sent[0]?.message_id ?? ''}`);
    await vi.waitFor(async () => expect((await list(ada)).data.map(({ text, quiet }) => [text, quiet])).toEqual([['in the night', true], ['', false]]), { timeout: 5_000 });
    expect((await list(bob)).data).toEqual([]);
    await onPostgres((db) => db.execute(sql`DELETE FROM members WHERE channel_id = ${channelId} AND user_id = ${ada.user.id}`));
    expect((await list(ada)).data).toEqual([]);
  });

  it('refuse what is out of bounds, and who may not', async () => {
    const ada = await newCaller();
    for (const query of ['?limit=0', '?limit=101', '?unread=maybe']) expectProblem(await ada.call('GET', `${LIST}${query}`), 'invalid');
    expectProblem(await ada.call('GET', `${LIST}?cursor=bWVtYmVycwox`), 'bad_cursor');
    for (const body of [{}, { read_seq: -1 }, { read_seq: '1' }, { read_seq: null, other: 1 }]) expectProblem(await ada.call('POST', `${LIST}/read`, body), 'invalid');
    expect((await mark(ada, null)).body).toEqual({ read_seq: 0 });
    const blind = await newCaller({ scopes: ['channels:read'] });
    for (const answer of [await blind.call('GET', LIST), await mark(blind, null)]) expectProblem(answer, 'forbidden');
  });
});
