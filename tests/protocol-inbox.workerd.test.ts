import { uuidv7 } from 'uuidv7';
import { describe, expect, it, vi } from 'vitest';
import { badgeOf, inboxFixture, noticeOf, telling } from '../durable-objects/user-inbox/inbox-fixture.ts';
import { range } from '../durable-objects/channel-room/room-fixture.ts';
import { SOCKET_WINDOW_EVENTS } from '../protocol/limits.ts';

/** The rules of docs/protocol.md that an inbox has for itself, and the common ones on its socket. */

const eventually = (check: () => void | Promise<void>): Promise<void> => vi.waitFor(check, 10_000);

describe('an inbox\'s socket', () => {
  it('is welcomed, and told all badges at once: what is not among them has none (P8, P29)', async () => {
    const { channelId, inbox, alice, open } = await inboxFixture();
    const first = await open();
    await inbox.tell(alice.user_id, telling({ badges: [badgeOf(channelId, { last_pos: 2, unread: 2 })] }));
    await eventually(() => expect(first.badges).toHaveLength(1));
    const { frames } = await open();
    await eventually(() => expect(frames.map(({ type }) => type)).toEqual(['welcome', 'badges']));
    expect(frames[1]).toEqual({ type: 'badges', full: true, badges: [{ channel_id: channelId, last_pos: 2, read_pos: 0, unread: 2, mentions: 0 }] });
  });

  it('is told the newest badge only, at most ten times a second (P29)', async () => {
    const { channelId, inbox, alice, open } = await inboxFixture();
    const socket = await open();
    const startedAt = Date.now();
    await Promise.all(range(1, 60).map((n) => inbox.tell(alice.user_id, telling({ badges: [badgeOf(channelId, { as_of_seq: n, last_pos: n, unread: n })] }))));
    await eventually(() => expect(socket.badges).toMatchObject([{ unread: 60 }]));
    const changes = socket.frames.filter((frame) => frame.type === 'badges' && !frame.full);
    expect(changes.length).toBeLessThanOrEqual(2 + (Date.now() - startedAt) / 100);
  });

  it('moves a read marker for all devices, and never back (P30)', async () => {
    const { channelId, open, written } = await inboxFixture();
    await written(5);
    const [laptop, phone] = [await open(), await open()];
    laptop.send({ type: 'read', id: 'up', channel_id: channelId, pos: 5 });
    await eventually(() => expect(phone.events).toMatchObject([{ type: 'read.moved', channel_id: channelId, read_pos: 5 }]));
    phone.send({ type: 'read', id: 'down', channel_id: channelId, pos: 2 });
    await eventually(() => expect(phone.result('down')).toMatchObject({ ok: { read_pos: 5 } }));
    expect([laptop.result('up'), laptop.events.length]).toMatchObject([{ ok: { read_pos: 5 } }, 1]);
    // No further than the newest message, so what comes next is unread.
    phone.send({ type: 'read', id: 'beyond', channel_id: channelId, pos: 1_000 });
    await eventually(() => expect(phone.result('beyond')).toMatchObject({ ok: { read_pos: 5 } }));
    expect(laptop.events.length).toBe(1);
  });

  it('marks as unread for all devices, and counts anew (P61)', async () => {
    const { channelId, open, written } = await inboxFixture();
    await written(5);
    const [laptop, phone] = [await open(), await open()];
    laptop.send({ type: 'read', id: 'up', channel_id: channelId, pos: 5, generation: 0 });
    await eventually(() => expect(laptop.result('up')).toMatchObject({ ok: { read_pos: 5 } }));
    phone.send({ type: 'mark_unread', id: 'back', channel_id: channelId, pos: 2, generation: 0 });
    await eventually(() => expect(laptop.events.at(-1)).toMatchObject({ type: 'read.moved', channel_id: channelId, read_pos: 1, generation: 1 }));
    laptop.send({ type: 'read', id: 'late', channel_id: channelId, pos: 5, generation: 0 });
    await eventually(() => expect(laptop.result('late')).toMatchObject({ ok: { read_pos: 1, generation: 1 } }));
    laptop.send({ type: 'mark_unread', id: 'bad', channel_id: channelId, pos: 0 });
    await eventually(() => expect(laptop.result('bad')).toMatchObject({ problem: { code: 'invalid' } }));
  });

  it('brings notices once, in order, without the text of a message (P12, P31)', async () => {
    const { channelId, inbox, alice, open } = await inboxFixture();
    const socket = await open();
    const notices = [noticeOf(channelId, 1), noticeOf(channelId, 2, { reason: 'direct' })];
    for (const _ of range(1, 3)) await inbox.tell(alice.user_id, telling({ notices }));
    await eventually(() => expect(socket.events).toMatchObject([{ seq: 1, reason: 'mention' }, { seq: 2, reason: 'direct' }]));
    expect(JSON.stringify(socket.events)).not.toContain('"text"');
  });

  it('takes no commands of a channel (P32)', async () => {
    const { open } = await inboxFixture();
    const socket = await open();
    socket.send({ type: 'send', id: 's', client_msg_id: uuidv7(), text: 'x' });
    await eventually(() => expect(socket.result('s')).toMatchObject({ problem: { code: 'invalid' } }));
  });

  it('answers bad frames, pings and too many of the former as a channel\'s does (P40, P44)', async () => {
    const { open } = await inboxFixture();
    const socket = await open();
    socket.send('ping');
    for (const _ of range(1, 10)) socket.send('nonsense');
    await eventually(() => expect([socket.pongs, socket.closed?.code]).toEqual([1, 4000]));
    expect(socket.frames.filter(({ type }) => type === 'problem')).toHaveLength(10);
  });

  it('resumes, over more than a window, with everything once (P9, P18)', async () => {
    const { channelId, inbox, alice, open } = await inboxFixture();
    const { epoch, seq } = (await open()).welcome;
    const many = SOCKET_WINDOW_EVENTS + 200;
    for (let from = 1; from <= many; from += 200) {
      await inbox.tell(alice.user_id, telling({ notices: range(from, from + 199).map((n) => noticeOf(channelId, n)) }));
    }
    const again = await open({ epoch, seq });
    expect(again.welcome).toMatchObject({ seq, recovered: true, head: many });
    await eventually(() => expect(again.events.map((event) => event.seq)).toEqual(range(seq + 1, many)));
  });
});
