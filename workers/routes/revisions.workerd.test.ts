import { uuidv7 } from 'uuidv7';
import { beforeAll, expect, it } from 'vitest';
import { revisionPageSchema } from '../../protocol/api.ts';
import { commandResultSchema } from '../../protocol/frames.ts';
import { bodyOf, drained, expectProblem, newCaller, newChannel, send, type Caller } from '../api-fixture.ts';

let ada: Caller;
let bob: Caller;
let moderator: Caller;
beforeAll(async () => {
  [ada, bob, moderator] = [await newCaller(), await newCaller(), await newCaller({ role: 'moderator' })];
});

async function edited(channelId: string, texts: readonly string[]): Promise<string> {
  const { message_id } = await send(ada, channelId, texts[0] ?? '');
  let seq = 0;
  for (const text of texts.slice(1)) seq = bodyOf(await ada.call('PATCH', `/v1/channels/${channelId}/messages/${message_id}`, { text }), 200, commandResultSchema).seq ?? 0;
  await drained(channelId, seq);
  return message_id;
}
const pathOf = (channelId: string, messageId: string) => `/v1/channels/${channelId}/messages/${messageId}/revisions`;

it('lists what a message says and has said, the newest first, in pages', async () => {
  const { id } = await newChannel(ada);
  const message = await edited(id, ['one', 'two', 'three']);
  const page = async (query: string) => bodyOf(await ada.call('GET', pathOf(id, message) + query), 200, revisionPageSchema);
  const first = await page('?limit=2');
  expect(first.data.map(({ revision, text }) => [revision, text])).toEqual([[3, 'three'], [2, 'two']]);
  expect(first.data.map(({ written_at }) => written_at)).toEqual(first.data.map(({ written_at }) => written_at).toSorted().toReversed());
  const second = await page(`?limit=2&cursor=${first.next_cursor}`);
  expect([second.data.map(({ text }) => text), second.next_cursor]).toEqual([['one'], null]);
  expectProblem(await ada.call('GET', `${pathOf(id, uuidv7())}?cursor=${first.next_cursor}`), 'bad_cursor');
});

it('is for the author and for moderators who may know of the channel (G5)', async () => {
  const { id } = await newChannel(ada);
  await bob.call('PUT', `/v1/channels/${id}/members/me`);
  const path = pathOf(id, await edited(id, ['one', 'two']));
  expectProblem(await bob.call('GET', path), 'forbidden');
  expectProblem(await (await newCaller()).call('GET', path), 'not_a_member');
  expect(bodyOf(await moderator.call('GET', path), 200, revisionPageSchema).data).toHaveLength(2);
  expectProblem(await moderator.call('GET', pathOf(id, uuidv7())), 'not_found');

  const hidden = await newChannel(ada, 'private');
  const secret = pathOf(hidden.id, await edited(hidden.id, ['one', 'two']));
  for (const caller of [moderator, bob]) expectProblem(await caller.call('GET', secret), 'not_found');
  // By a channel that may be seen, nothing of another is.
  expectProblem(await moderator.call('GET', pathOf(id, secret.split('/')[5] ?? '')), 'not_found');
  await ada.call('POST', `/v1/channels/${hidden.id}/members`, { user_id: moderator.user.id });
  expect(bodyOf(await moderator.call('GET', secret), 200, revisionPageSchema).data).toHaveLength(2);
});

it('has nothing of a deleted message, nor for an author who has left', async () => {
  const { id } = await newChannel(bob);
  await ada.call('PUT', `/v1/channels/${id}/members/me`);
  const [gone, kept] = [await edited(id, ['one', 'two']), await edited(id, ['three', 'four'])];
  const { seq } = bodyOf(await bob.call('DELETE', `/v1/channels/${id}/messages/${gone}`), 200, commandResultSchema);
  await drained(id, seq ?? 0);
  for (const caller of [ada, moderator]) expect(bodyOf(await caller.call('GET', pathOf(id, gone)), 200, revisionPageSchema).data).toEqual([]);
  await ada.call('DELETE', `/v1/channels/${id}/members/me`);
  expectProblem(await ada.call('GET', pathOf(id, kept)), 'not_a_member');
});
