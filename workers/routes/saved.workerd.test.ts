import { env } from 'cloudflare:workers';
import { sql } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import { beforeEach, describe, expect, it } from 'vitest';
import { savedPageSchema, savedStateSchema } from '../../protocol/api.ts';
import { MAX_SAVED } from '../../protocol/limits.ts';
import { bodyOf, drained, expectProblem, newCaller, newChannel, onPostgres, send, type Caller } from '../api-fixture.ts';

let ada: Caller;
let bob: Caller;
let id: string;
beforeEach(async () => {
  [ada, bob] = [await newCaller(), await newCaller()];
  ({ id } = await newChannel(bob));
  await ada.call('PUT', `/v1/channels/${id}/members/me`);
});

const said = async (text: string, channelId = id) => {
  const { message_id, seq } = await send(bob, channelId, text);
  await drained(channelId, seq ?? 0);
  return message_id;
};
const save = async (messageId: string, by = ada) => bodyOf(await by.call('PUT', `/v1/me/saved/${messageId}`), 200, savedStateSchema);
const unsave = async (messageId: string) => bodyOf(await ada.call('DELETE', `/v1/me/saved/${messageId}`), 200, savedStateSchema);
const page = async (query = '') => bodyOf(await ada.call('GET', `/v1/me/saved${query}`), 200, savedPageSchema);
const texts = async () => (await page()).data.map(({ message }) => message.text);

describe('saved messages', () => {
  it('are listed the newest first, in pages, each once, with a version that rises with each change (G2)', async () => {
    const [one, two, three] = [await said('one'), await said('two'), await said('three')];
    expect(await page()).toMatchObject({ data: [], version: 0 });
    expect([await save(two), await save(one), await save(two), await save(three)].map(({ version }) => version)).toEqual([1, 2, 2, 3]);
    const first = await page('?limit=2');
    expect([first.data.map(({ message }) => message.text), first.version, first.users.map((user) => user.id)]).toEqual([['three', 'one'], 3, [bob.user.id]]);
    const second = await page(`?limit=2&cursor=${first.next_cursor}`);
    expect([second.data.map(({ message }) => message.text), second.next_cursor]).toEqual([['two'], null]);
    expect([await unsave(one), await unsave(one)]).toEqual(Array.from({ length: 2 }, () => ({ message_id: one, saved: false, version: 4 })));
    expect(await texts()).toEqual(['three', 'two']);
    expectProblem(await ada.call('GET', '/v1/me/saved?cursor=x'), 'bad_cursor');
  });

  it('G5: are what their user may read: of another\'s nothing is told, and who has lost a channel sees nothing of it, until they are back', async () => {
    const secret = await newChannel(bob, 'private');
    const hidden = await said('secret', secret.id);
    expectProblem(await ada.call('PUT', `/v1/me/saved/${hidden}`), 'not_found');
    expectProblem(await ada.call('PUT', `/v1/me/saved/${uuidv7()}`), 'not_found');
    const message = await said('mine for now');
    await save(message);
    expect(bodyOf(await bob.call('GET', '/v1/me/saved'), 200, savedPageSchema).data).toEqual([]);
    await ada.call('DELETE', `/v1/channels/${id}/members/me`);
    expect(await texts()).toEqual([]);
    await ada.call('PUT', `/v1/channels/${id}/members/me`);
    expect(await texts()).toEqual(['mine for now']);
    await ada.call('DELETE', `/v1/channels/${id}/members/me`);
    expect((await unsave(message)).saved).toBe(false);
  });

  it('stay as tombstones of what was deleted', async () => {
    const message = await said('gone soon');
    await save(message);
    const { body } = await bob.call('DELETE', `/v1/channels/${id}/messages/${message}`);
    await drained(id, Number((body as { seq: number }).seq));
    expect((await page()).data).toMatchObject([{ message: { id: message, text: '', deleted_at: expect.any(String) } }]);
  });

  it('are told to the other devices, each change once, in the order of versions (G2)', async () => {
    const message = await said('told');
    await save(message);
    await save(message);
    await unsave(message);
    const inbox = env.INBOXES.getByName(ada.user.id);
    await inbox.savedChanged(ada.user.id, { message_id: message, saved: true, version: 1 });
    const events = async () => onPostgres((db) => db.execute<{ data: object }>(sql`
      SELECT e.data FROM event_log e WHERE e.key = ${ada.user.id} AND e.type = 'colink.saved.changed.v1' ORDER BY e.channel_seq`));
    await expect.poll(async () => (await events()).length, { timeout: 10_000 }).toBe(2);
    expect((await events()).map(({ data }) => data)).toMatchObject([{ message_id: message, saved: true, version: 1 }, { message_id: message, saved: false, version: 2 }]);
  });

  it('are at most 10,000 of a user (G8)', async () => {
    const [one, two] = [await said('one'), await said('two')];
    await save(one);
    await onPostgres((db) => db.execute(sql`UPDATE saved_lists SET size = ${MAX_SAVED} WHERE user_id = ${ada.user.id}`));
    expectProblem(await ada.call('PUT', `/v1/me/saved/${two}`), 'limit_reached');
    expect((await save(one)).version).toBe(1);
    await unsave(one);
    expect((await save(two)).saved).toBe(true);
  });

  it('are counted truly, whoever saves at the same moment (G2)', async () => {
    const messages = [await said('one'), await said('two'), await said('three')];
    await Promise.all([...messages, ...messages].map((message) => save(message)));
    const [list] = await onPostgres((db) => db.execute<{ size: number; version: string }>(sql`SELECT size, version FROM saved_lists WHERE user_id = ${ada.user.id}`));
    expect([list?.size, Number(list?.version), (await page()).data.length]).toEqual([3, 3, 3]);
  });
});
