import { env } from 'cloudflare:workers';
import { runInDurableObject } from 'cloudflare:test';
import { sql } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { lockMessage } from '../../db/queries/removals.ts';
import { messageSchema } from '../../protocol/api.ts';
import { auditPageSchema } from '../../protocol/audit.ts';
import { directoryEventSchema } from '../../protocol/directory-events.ts';
import { MAX_OPEN_REPORTS, ownReportSchema, type Report, reportDetailSchema, reportPageSchema, reportSchema } from '../../protocol/moderation.ts';
import { soon } from '../../tests/support/soon.ts';
import { type Answer, bodyOf, type Caller, drained, expectProblem, newCaller, newChannel, newToken, onPostgres, send } from '../api-fixture.ts';
import { bearer, channelSocket, liveEventsOf, openSocket } from '../socket-fixture.ts';

let admin: Caller;
let moderator: Caller;
let ada: Caller;
let bob: Caller;
let channel: string;
/** Of Ada's, in a private channel of hers and Bob's. */
let message: string;
beforeEach(async () => {
  [admin, moderator, ada, bob] = [await newCaller({ role: 'admin' }), await newCaller({ role: 'moderator' }), await newCaller(), await newCaller()];
  ({ id: channel } = await newChannel(ada, 'private'));
  await ada.call('POST', `/v1/channels/${channel}/members`, { user_id: bob.user.id });
  message = await say('buy now');
});

async function say(text: string): Promise<string> {
  const { message_id, seq } = await send(ada, channel, text);
  await drained(channel, seq ?? 0);
  return message_id;
}

const remove = (by: Caller, id = message, headers = {}): Promise<Answer> => by.call('POST', `/v1/admin/messages/${id}/remove`, { reason: 'advertising' }, headers);
const seen = async (id = message) => bodyOf(await bob.call('GET', `/v1/channels/${channel}/messages/${id}`), 200, messageSchema);
const isRemoved = () => vi.waitFor(async () => expect(await seen()).toMatchObject({ text: '', removed_by_moderator: true, deleted_at: expect.any(String) }), { timeout: 10_000, interval: 50 });
const audited = async (target: string) => bodyOf(await admin.call('GET', `/v1/admin/audit?target=${target}`), 200, auditPageSchema).data;

const reportsPath = (id = message) => `/v1/channels/${channel}/messages/${id}/reports`;
const report = (by: Caller, id = message, body: object = { reason: 'spam', comment: 'again' }): Promise<Answer> => by.call('POST', reportsPath(id), body);
const reported = async (by = bob, id = message) => bodyOf(await report(by, id), 201, ownReportSchema);
const view = async (id: string, by = moderator) => bodyOf(await by.call('GET', `/v1/admin/reports/${id}`), 200, reportDetailSchema);
const resolve = (id: string, body: object = { action: 'dismiss' }, by = moderator) => by.call('POST', `/v1/admin/reports/${id}/resolve`, body);
async function openReports(): Promise<Report[]> {
  const all: Report[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page: { data: Report[]; next_cursor: string | null } = bodyOf(await moderator.call('GET', `/v1/admin/reports?limit=100${cursor && `&cursor=${cursor}`}`), 200, reportPageSchema);
    all.push(...page.data);
    cursor = page.next_cursor;
  }
  return all;
}

describe('the removal of a message', () => {
  it('by who moderates and is no member deletes it for everybody at once, and is audited with its reason', async () => {
    const socket = await openSocket(channelSocket(channel), bearer(bob));
    expect((await remove(moderator)).body).toEqual({ message_id: message, channel_id: channel });
    await soon(() => expect(liveEventsOf(socket).at(-1)).toMatchObject({ type: 'message.deleted', message_id: message, actor_id: moderator.user.id, by_moderator: true }));
    await isRemoved();
    const [act, ...more] = await audited(message);
    expect([act?.act, act?.actor_id, more]).toEqual(['message.removal_ordered', moderator.user.id, []]);
    expect(JSON.parse(act?.details ?? '')).toEqual({ channel_id: channel, author_id: ada.user.id, reason: 'advertising' });
  });

  it('that was interrupted between the order and the room is audited, and done by whoever tells the room: a repetition, or the fleet from the outbox (G1, G2)', async () => {
    const rename = (from: string, to: string) => runInDurableObject(env.ROOMS.getByName(channel), (_, state) => void state.storage.sql.exec(`ALTER TABLE ${from} RENAME TO ${to}`));
    await rename('messages', 'broken');
    expectProblem(await remove(moderator), 'unavailable');
    await rename('broken', 'messages');
    expect((await seen()).text).toBe('buy now');
    expect(await audited(message)).toHaveLength(1);
    const [row] = await onPostgres((db) => db.execute<{ data: unknown }>(sql`
      SELECT data FROM event_log WHERE type = 'colink.channel.message_removal_ordered.v1' AND key = ${channel}`));
    const event = directoryEventSchema.parse(row?.data);
    expect(event).toMatchObject({ type: 'channel.message_removal_ordered', message_id: message, actor_id: moderator.user.id });
    const news = { changes: [], revoked: [], channel: null, removals: [{ message_id: message, actor_id: moderator.user.id }] };
    for (let n = 0; n < 2; n++) expect(await env.ROOMS.getByName(channel).announce(channel, news)).toEqual({ status: 'told' });
    await isRemoved();
    expect((await remove(admin)).status).toBe(200);
    expect(await audited(message)).toHaveLength(1);
  });

  it('is for administrators and moderators alone, of messages that are there', async () => {
    for (const by of [ada, await newCaller({ role: 'guest' }), await newToken(moderator.user, { scopes: ['messages:write'] })]) expectProblem(await remove(by), 'forbidden');
    expectProblem(await remove(moderator, uuidv7()), 'not_found');
    const { seq } = (await ada.call('DELETE', `/v1/channels/${channel}/messages/${message}`)).body as { seq: number };
    await drained(channel, seq);
    expectProblem(await remove(moderator), 'conflict');
    expect(await seen()).not.toHaveProperty('removed_by_moderator');
    expect(await audited(message)).toEqual([]);
  });
});

describe('a report', () => {
  it('is made once by a member, and shown with its message to who moderates, who need not be a member; that they looked is audited', async () => {
    const mine = await reported();
    expect(mine).toMatchObject({ message_id: message, reason: 'spam', comment: 'again', status: 'open' });
    expect(bodyOf(await report(bob, message, { reason: 'other' }), 200, ownReportSchema)).toEqual(mine);
    const listed = (await openReports()).find(({ id }) => id === mine.id);
    expect(listed).toMatchObject({ channel_id: channel, channel_kind: 'private', author_id: ada.user.id, reporter_id: bob.user.id });
    expect(JSON.stringify(listed)).not.toContain('buy now');
    await ada.call('PATCH', `/v1/channels/${channel}/messages/${message}`, { text: 'nothing' });
    expect((await view(mine.id)).text).toBe('buy now');
    expect((await audited(mine.id)).map(({ act, actor_id }) => [act, actor_id])).toEqual([['report.viewed', moderator.user.id]]);
    expectProblem(await moderator.call('GET', `/v1/channels/${channel}/messages`), 'not_found');
  });

  it('is refused to who is no member, of one\'s own message, of none, and past the bound (G5, G8)', async () => {
    expectProblem(await report(await newCaller()), 'not_found');
    expectProblem(await report(ada), 'conflict');
    expectProblem(await report(bob, uuidv7()), 'not_found');
    expectProblem(await report(bob, message, { reason: 'dislike' }), 'invalid');
    expectProblem(await report(bob, message, { reason: 'spam', comment: 'x'.repeat(1_001) }), 'invalid');
    const ids = [];
    for (let n = 0; n < MAX_OPEN_REPORTS; n++) ids.push((await send(ada, channel, `m${n}`)).message_id);
    await say('last');
    for (const id of ids) await reported(bob, id);
    expectProblem(await report(bob), 'conflict');
  });

  it('is for administrators and moderators to see and to judge', async () => {
    const { id } = await reported();
    for (const answer of [await ada.call('GET', '/v1/admin/reports'), await bob.call('GET', `/v1/admin/reports/${id}`), await resolve(id, { action: 'dismiss' }, bob)]) expectProblem(answer, 'forbidden');
    expectProblem(await moderator.call('GET', `/v1/admin/reports/${uuidv7()}`), 'not_found');
    expectProblem(await resolve(uuidv7()), 'not_found');
  });

  it('that is dismissed is resolved with all others of its message, and what was said is forgotten', async () => {
    const eve = await newCaller();
    await ada.call('POST', `/v1/channels/${channel}/members`, { user_id: eve.user.id });
    const [first, second] = [await reported(), await reported(eve)];
    expect(bodyOf(await resolve(first.id, { action: 'dismiss', note: 'fine' }), 200, reportSchema)).toMatchObject({ status: 'resolved', action: 'dismiss', note: 'fine', resolved_by: moderator.user.id });
    for (const { id } of [first, second]) expect(await view(id)).toMatchObject({ status: 'resolved', text: null });
    expectProblem(await resolve(second.id), 'conflict');
    expect((await seen()).text).toBe('buy now');
    expect(JSON.parse((await audited(first.id))[0]?.details ?? '')).toMatchObject({ action: 'dismiss', note: 'fine', message_id: message, count: 2, reports: [first.id, second.id] });
    const resolved = bodyOf(await moderator.call('GET', '/v1/admin/reports?status=resolved&limit=2'), 200, reportPageSchema);
    expect(resolved.data.map(({ id }) => id)).toEqual([second.id, first.id]);
  });

  it('can end with the removal of the message, which needs a reason', async () => {
    const { id } = await reported();
    expectProblem(await resolve(id, { action: 'remove_message' }), 'invalid');
    expect((await resolve(id, { action: 'remove_message', note: 'spam' })).status).toBe(200);
    await isRemoved();
    expect((await audited(message)).map(({ act }) => act)).toEqual(['message.removal_ordered']);
  });

  it('is resolved with all others of its message where that is removed without it: once, with the reason, in the act of removal', async () => {
    const eve = await newCaller();
    await ada.call('POST', `/v1/channels/${channel}/members`, { user_id: eve.user.id });
    const [first, second] = [await reported(), await reported(eve)];
    const other = await reported(bob, await say('another'));
    for (let n = 0; n < 2; n++) expect((await remove(moderator)).status).toBe(200);
    for (const { id } of [first, second]) {
      expect(await view(id)).toMatchObject({ status: 'resolved', action: 'remove_message', note: 'advertising', resolved_by: moderator.user.id, resolved_at: expect.any(String), text: null });
      expectProblem(await resolve(id), 'conflict');
    }
    const [act, ...more] = await audited(first.id);
    expect([act?.act, act?.actor_id, more, await audited(second.id)]).toEqual(['report.resolved', moderator.user.id, [], []]);
    expect(JSON.parse(act?.details ?? '')).toEqual({ action: 'remove_message', note: 'advertising', message_id: message, author_id: ada.user.id, count: 2, reports: [first.id, second.id] });
    expect((await view(other.id)).status).toBe('open');
    await isRemoved();
    expect((await view(first.id)).message_deleted).toBe(true);
  });

  it('that is made while its message is being removed is none, though the room has not heard of it yet', async () => {
    const made = await onPostgres((db) => db.transaction(async (tx) => {
      await lockMessage(tx, message);
      const answer = report(bob);
      await soon(async () => expect(await tx.execute(sql`SELECT l.pid FROM pg_locks l WHERE NOT l.granted AND pg_backend_pid() = ANY (pg_blocking_pids(l.pid))`)).toHaveLength(1));
      await tx.execute(sql`
        INSERT INTO message_removals (message_id, event_id, channel_id, moderator_id, reason, ordered_at) VALUES (${message}, ${uuidv7()}, ${channel}, ${moderator.user.id}, 'advertising', now())`);
      return { answer };
    }));
    expectProblem(await made.answer, 'not_found');
    expect((await openReports()).filter(({ message_id }) => message_id === message)).toEqual([]);
  });

  it('stays open where its author deletes the message, and says that it is gone; what was said is judged all the same', async () => {
    const { id } = await reported();
    const shown = async () => (await openReports()).find((one) => one.id === id)?.message_deleted;
    expect([await shown(), (await view(id)).message_deleted]).toEqual([false, false]);
    const { seq } = (await ada.call('DELETE', `/v1/channels/${channel}/messages/${message}`)).body as { seq: number };
    await drained(channel, seq);
    expect(await shown()).toBe(true);
    expect(await view(id)).toMatchObject({ status: 'open', message_deleted: true, text: 'buy now' });
    expectProblem(await remove(moderator), 'conflict');
    expect((await view(id)).status).toBe('open');
    expect(bodyOf(await resolve(id, { action: 'remove_message', note: 'spam' }), 200, reportSchema)).toMatchObject({ status: 'resolved', message_deleted: true });
  });

  it('of what a moderator wrote and removes stays open, for another to judge', async () => {
    await onPostgres((db) => db.execute(sql`UPDATE users SET role = 'moderator' WHERE id = ${ada.user.id}`));
    const { id } = await reported();
    expect((await remove(ada)).status).toBe(200);
    expect((await view(id)).status).toBe('open');
    expect((await resolve(id)).status).toBe(200);
  });

  it('of what a moderator wrote is judged by another', async () => {
    await onPostgres((db) => db.execute(sql`UPDATE users SET role = 'moderator' WHERE id = ${ada.user.id}`));
    const { id } = await reported();
    expectProblem(await resolve(id, { action: 'dismiss' }, ada), 'conflict');
    expect((await resolve(id)).status).toBe(200);
  });

  it('keeps nothing of who is redacted', async () => {
    const { id } = await reported();
    for (const act of ['deactivate', 'redact']) expect((await admin.call('POST', `/v1/admin/users/${ada.user.id}/${act}`)).status).toBeLessThan(300);
    expect((await view(id)).text).toBeNull();
  });
});
