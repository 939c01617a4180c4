import { sql } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { PreviewNews } from '../../protocol/announcements.ts';
import { messagePageSchema, messageSchema } from '../../protocol/api.ts';
import { commandResultSchema } from '../../protocol/frames.ts';
import type { LinkPreview } from '../../protocol/previews.ts';
import { bodyOf, type Caller, drained, expectProblem, newCaller, newChannel, onPostgres, send } from '../api-fixture.ts';
import { announcePreviews } from '../preview-fixture.ts';
import { bearer, channelSocket, liveEventsOf, openSocket } from '../socket-fixture.ts';

let ada: Caller;
let bob: Caller;
let id: string;
let channel: string;
beforeAll(async () => {
  [ada, bob] = [await newCaller(), await newCaller()];
  ({ id } = await newChannel(ada));
  channel = `/v1/channels/${id}`;
  await bob.call('PUT', `${channel}/members/me`);
});

const PAGE: LinkPreview = { url: 'https://page.example/', title: 'A page', description: 'Of words', site_name: null };

const announce = (previews: readonly PreviewNews[], channelId = id) => announcePreviews(channelId, previews);
const TOLD = { status: 200, body: { data: [{ status: 'told' }] } };
const news = (message_id: string, revision = 1, page = PAGE): PreviewNews => ({ message_id, revision, previews: [page] });
const read = async (messageId: string, caller = ada) => bodyOf(await caller.call('GET', `${channel}/messages/${messageId}`), 200, messageSchema);
const remove = (caller: Caller, messageId: string) => caller.call('DELETE', `${channel}/messages/${messageId}/previews`);
const after = async (caller: Caller) => drained(id, (await send(caller, id, 'after')).seq ?? 0);

describe('previews', () => {
  it('reach sockets once, and are in history, threads and the message, for members (G2, G5)', async () => {
    const socket = await openSocket(channelSocket(id), bearer(bob));
    const root = await send(ada, id, 'https://page.example/');
    const reply = await send(bob, id, 'https://page.example/', { client_msg_id: uuidv7(), thread_id: root.message_id });
    for (let times = 0; times < 2; times += 1) expect(await announce([news(root.message_id), news(reply.message_id)])).toEqual(TOLD);
    await after(ada);
    const told = await vi.waitFor(() => {
      const found = liveEventsOf(socket).filter(({ type }) => type.startsWith('message.preview'));
      expect(found).toHaveLength(2);
      return found;
    }, 10_000);
    expect(told).toMatchObject([{ type: 'message.previewed', actor_id: ada.user.id, message_id: root.message_id, revision: 1, previews: [PAGE] }, { actor_id: bob.user.id, message_id: reply.message_id }]);
    expect((await read(root.message_id, bob)).previews).toEqual([PAGE]);
    const pages = [await ada.call('GET', `${channel}/messages`), await ada.call('GET', `${channel}/messages/${root.message_id}/replies`)].map((answer) => bodyOf(answer, 200, messagePageSchema));
    expect(pages.map(({ data }) => data.filter(({ previews }) => previews !== undefined).map((message) => message.id))).toEqual([[root.message_id], [reply.message_id]]);
    const eve = await newCaller();
    expectProblem(await eve.call('GET', `${channel}/messages/${root.message_id}`), 'not_a_member');
  });

  it('go with an edit and with their message', async () => {
    const [edited, deleted] = [await send(ada, id, 'https://page.example/'), await send(ada, id, 'https://page.example/')];
    await announce([news(edited.message_id), news(deleted.message_id)]);
    await ada.call('PATCH', `${channel}/messages/${edited.message_id}`, { text: 'no link' });
    await ada.call('DELETE', `${channel}/messages/${deleted.message_id}`);
    await after(ada);
    for (const { message_id } of [edited, deleted]) expect(Object.keys(await read(message_id))).not.toContain('previews');
    await announce([news(edited.message_id, 1), news(deleted.message_id)]);
    await announce([news(edited.message_id, 2, { ...PAGE, title: 'As edited' })]);
    await after(ada);
    expect((await read(edited.message_id)).previews).toEqual([{ ...PAGE, title: 'As edited' }]);
    expect(Object.keys(await read(deleted.message_id))).not.toContain('previews');
  });

  it('are removed for good by their author and who runs the channel, and by nobody else (G5)', async () => {
    const eve = await newCaller();
    const theirs = await send(bob, id, 'https://page.example/');
    const mine = await send(ada, id, 'https://page.example/');
    await announce([news(theirs.message_id), news(mine.message_id)]);
    expectProblem(await remove(eve, theirs.message_id), 'not_a_member');
    expectProblem(await remove(bob, mine.message_id), 'forbidden');
    expect(bodyOf(await remove(bob, theirs.message_id), 200, commandResultSchema).changed).toBe(true);
    expect(bodyOf(await remove(ada, theirs.message_id), 200, commandResultSchema).changed).toBe(false);
    await announce([news(theirs.message_id, 1, { ...PAGE, title: 'Again' })]);
    await after(ada);
    const left = await read(theirs.message_id);
    expect([Object.keys(left).includes('previews'), left.text, left.deleted_at]).toEqual([false, 'https://page.example/', null]);
    expect((await read(mine.message_id)).previews).toEqual([PAGE]);
    expectProblem(await remove(ada, uuidv7()), 'not_found');
    const hidden = await newChannel(ada, 'private');
    const secret = await send(ada, hidden.id, 'https://page.example/');
    expectProblem(await bob.call('DELETE', `/v1/channels/${hidden.id}/messages/${secret.message_id}/previews`), 'not_found');
    expectProblem(await ada.call('DELETE', `${channel}/messages/${secret.message_id}/previews`), 'not_found');
  });

  it('reach a room that has nothing of its own any more, and are refused whole where they are none', async () => {
    const quiet = await newChannel(ada);
    const message_id = uuidv7();
    const created = {
      seq: 1, id: uuidv7(), at: new Date().toISOString(), actor_id: ada.user.id, type: 'message.created', message_id, client_msg_id: 'c', text: 'https://page.example/', pos: 1, thread_id: null, tpos: null, origin: null,
    };
    await onPostgres((db) => db.execute(sql`INSERT INTO conversation_logs (channel_id) VALUES (${quiet.id}) ON CONFLICT DO NOTHING`));
    await onPostgres((db) => db.execute(sql`SELECT FROM drain_conversation(${quiet.id}, (SELECT l.epoch FROM conversation_logs l WHERE l.channel_id = ${quiet.id}), 0, ${JSON.stringify([created])}::text::jsonb)`));
    expect(await announce([news(message_id)], quiet.id)).toEqual(TOLD);
    await drained(quiet.id, 2);
    expect(bodyOf(await ada.call('GET', `/v1/channels/${quiet.id}/messages/${message_id}`), 200, messageSchema).previews).toEqual([PAGE]);
    for (const bad of [{ ...PAGE, title: '' }, { ...PAGE, title: 'a\u202eb' }, { ...PAGE, title: 'x'.repeat(301) }, { ...PAGE, url: 'javascript:alert(1)' }, { ...PAGE, html: '<b>' }]) {
      expect(await announce([news(uuidv7(), 1, bad)], quiet.id)).toMatchObject({ status: 422 });
    }
  });
});
