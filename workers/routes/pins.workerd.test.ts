import { uuidv7 } from 'uuidv7';
import { beforeAll, describe, expect, it } from 'vitest';
import { messageSchema, pinPageSchema } from '../../protocol/api.ts';
import { commandResultSchema } from '../../protocol/frames.ts';
import { bodyOf, drained, expectProblem, newCaller, newChannel, send, type Caller } from '../api-fixture.ts';

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

const pinPath = (messageId: string) => `${channel}/messages/${messageId}/pin`;
const put = async (caller: Caller, messageId: string) => bodyOf(await caller.call('PUT', pinPath(messageId)), 200, commandResultSchema);
const page = async (query = '', caller = ada) => bodyOf(await caller.call('GET', `${channel}/pins${query}`), 200, pinPageSchema);

describe('pins', () => {
  it('are listed the newest first, in pages, with their authors; history shows them', async () => {
    const [one, two, three] = [await send(ada, id, 'one'), await send(bob, id, 'two'), await send(ada, id, 'three')];
    for (const { message_id } of [two, one, three]) await put(bob, message_id);
    const again = await put(ada, one.message_id);
    expect(again.changed).toBe(false);
    await drained(id, again.seq ?? 0);

    await drained(id, 6);
    const first = await page('?limit=2');
    expect(first.data.map(({ text, pinned }) => [text, pinned?.by])).toEqual([['three', bob.user.id], ['one', bob.user.id]]);
    expect([first.users.map((user) => user.id), first.as_of_seq]).toEqual([[ada.user.id], expect.any(Number)]);
    const second = await page(`?limit=2&cursor=${first.next_cursor}`);
    expect([second.data.map(({ text }) => text), second.next_cursor, second.users.map((user) => user.id)]).toEqual([['two'], null, [bob.user.id]]);
    expect(bodyOf(await ada.call('GET', `${channel}/messages/${one.message_id}`), 200, messageSchema).pinned?.by).toBe(bob.user.id);

    const taken = bodyOf(await ada.call('DELETE', pinPath(three.message_id)), 200, commandResultSchema);
    const gone = bodyOf(await bob.call('DELETE', `${channel}/messages/${two.message_id}`), 200, commandResultSchema);
    expect(bodyOf(await ada.call('DELETE', pinPath(three.message_id)), 200, commandResultSchema).changed).toBe(false);
    await drained(id, Math.max(taken.seq ?? 0, gone.seq ?? 0));
    expect((await page()).data.map(({ text }) => text)).toEqual(['one']);
    expectProblem(await ada.call('GET', `${channel}/pins?cursor=${first.next_cursor?.slice(2)}`), 'bad_cursor');
  });

  it('G5: are for members: 403 in a public channel, 404 in a private one', async () => {
    const eve = await newCaller();
    const { message_id } = await send(ada, id, 'not hers');
    for (const answer of [await eve.call('PUT', pinPath(message_id)), await eve.call('GET', `${channel}/pins`)]) expectProblem(answer, 'not_a_member');
    const hidden = await newChannel(ada, 'private');
    const secret = await send(ada, hidden.id, 'secret');
    for (const [method, path] of [['PUT', `/messages/${secret.message_id}/pin`], ['DELETE', `/messages/${secret.message_id}/pin`], ['GET', '/pins']] as const) {
      expectProblem(await eve.call(method, `/v1/channels/${hidden.id}${path}`), 'not_found');
    }
    expectProblem(await ada.call('PUT', `/v1/channels/${hidden.id}/messages/${message_id}/pin`), 'not_found');
    expectProblem(await ada.call('PUT', pinPath(uuidv7())), 'not_found');
  });
});
