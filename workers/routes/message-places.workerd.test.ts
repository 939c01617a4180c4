import { uuidv7 } from 'uuidv7';
import { beforeAll, describe, expect, it } from 'vitest';
import { messagePageSchema, messagePlaceSchema } from '../../protocol/api.ts';
import { problemSchema } from '../../protocol/errors.ts';
import { type Answer, bodyOf, drained, expectProblem, newCaller, newChannel, send, type Caller } from '../api-fixture.ts';

let ada: Caller;
let id: string;
let messages: string;
beforeAll(async () => {
  ada = await newCaller();
  ({ id } = await newChannel(ada));
  messages = `/v1/channels/${id}/messages`;
});

const page = async (query: string) => bodyOf(await ada.call('GET', `${messages}?${query}`), 200, messagePageSchema);
const at = (time: string) => `at=${encodeURIComponent(time)}`;

describe('a jump to a date', () => {
  it('begins with the first message of that time or later, and goes on both ways', async () => {
    for (const text of ['one', 'two', 'three', 'four']) await send(ada, id, text);
    await drained(id, 4);
    const all = (await page('limit=10')).data;
    const [first, , third] = all;
    const found = await page(`${at(third?.created_at ?? '')}&limit=1`);
    const expected = all.find(({ created_at }) => created_at >= (third?.created_at ?? ''));
    expect([found.data.map(({ pos }) => pos), found.after_cursor !== null]).toEqual([[expected?.pos], true]);
    expect((await page(`limit=10&before=${found.before_cursor}`)).data.map(({ pos }) => pos)).toEqual(all.filter(({ pos }) => (pos ?? 0) < (expected?.pos ?? 0)).map(({ pos }) => pos));
    for (const time of ['1970-01-01T00:00:00Z', '0001-01-01T00:00:00Z', first?.created_at.replace('Z', '+00:00') ?? '']) expect((await page(at(time))).data[0]?.pos).toBe(1);
  });

  it('behind the last message is an empty page from which one may go back', async () => {
    const empty = await page(at('9999-12-31T23:59:59Z'));
    expect([empty.data, empty.after_cursor]).toEqual([[], null]);
    expect((await page(`limit=2&before=${empty.before_cursor}`)).data.map(({ text }) => text)).toEqual(['three', 'four']);
  });

  it('is to a time, and to nothing else beside', async () => {
    for (const query of ['at=yesterday', 'at=2026-11-26', `${at('2026-11-26T00:00:00Z')}&around=1`, `${at('2026-11-26T00:00:00Z')}&before=x`]) {
      expectProblem(await ada.call('GET', `${messages}?${query}`), 'invalid');
    }
    expectProblem(await (await newCaller()).call('GET', `${messages}?${at('2026-11-26T00:00:00Z')}`), 'not_a_member');
  });
});

describe('the place of a message', () => {
  it('is found by its id alone, of a reply by its root', async () => {
    const root = await send(ada, id, 'root');
    const reply = await send(ada, id, 'reply', { thread_id: root.message_id });
    await drained(id, reply.seq ?? 0);
    const place = async (messageId: string) => bodyOf(await ada.call('GET', `/v1/messages/${messageId}`), 200, messagePlaceSchema);
    expect(await place(root.message_id)).toEqual({
      message_id: root.message_id, channel_id: id, pos: root.pos, thread_id: null, tpos: null, history_pos: root.pos, path: `/channels/${id}/messages/${root.message_id}`,
    });
    expect(await place(reply.message_id)).toMatchObject({ pos: null, thread_id: root.message_id, tpos: 1, history_pos: root.pos });
  });

  it('G5: of a channel that the caller is no member of is as unknown as none', async () => {
    const { message_id, seq } = await send(ada, id, 'not yours');
    await drained(id, seq ?? 0);
    const bob = await newCaller();
    const [hidden, none] = [await bob.call('GET', `/v1/messages/${message_id}`), await bob.call('GET', `/v1/messages/${uuidv7()}`)];
    for (const answer of [hidden, none]) expectProblem(answer, 'not_found');
    const saying = ({ body }: Answer) => ({ ...problemSchema.parse(body), request_id: '' });
    expect(saying(none)).toEqual(saying(hidden));
    expectProblem(await bob.call('GET', '/v1/messages/nothing'), 'not_found');
  });
});
