import { evictDurableObject, runInDurableObject } from 'cloudflare:test';
import { uuidv7 } from 'uuidv7';
import { describe, expect, it, vi } from 'vitest';
import { soon } from '../../tests/support/soon.ts';
import { badgeOf, inboxFixture, noticeOf, telling } from './inbox-fixture.ts';

describe('an inbox', () => {
  it('tells all devices what was read on one, and Postgres', async () => {
    const { channelId, inbox, alice, open, stored } = await inboxFixture();
    const [laptop, phone] = [await open(), await open()];
    await inbox.tell(alice.user_id, telling({ badges: [badgeOf(channelId, { last_pos: 3, unread: 3, mentions: 1 })] }));
    await soon(() => expect(phone.badges).toEqual([{ channel_id: channelId, last_pos: 3, read_pos: 0, unread: 3, mentions: 1 }]));
    laptop.send({ type: 'read', id: 'r', channel_id: channelId, pos: 3 });
    await soon(() => expect(laptop.result('r')).toMatchObject({ ok: { read_pos: 3 } }));
    await soon(() => expect(phone.events).toMatchObject([{ seq: 1, type: 'read.moved', channel_id: channelId, read_pos: 3 }]));
    await soon(() => expect(phone.badges).toEqual([{ channel_id: channelId, last_pos: 3, read_pos: 3, unread: 0, mentions: 0 }]));
    await vi.waitFor(async () => expect(await stored()).toMatchObject({ drained_seq: 1, read_pos: 3 }), 10_000);
    expect(await inbox.read(alice, channelId, 2)).toEqual({ ok: { read_pos: 3 } });
  });

  it('marks as read up to the newest message at most, drained or not, and what comes next is unread', async () => {
    const { channelId, inbox, alice, stored, written } = await inboxFixture();
    expect(await inbox.read(alice, channelId, 1_000)).toEqual({ ok: { read_pos: 0 } });
    await written(3);
    // The room has them, and what the inbox was told of counts is older.
    await inbox.tell(alice.user_id, telling({ badges: [badgeOf(channelId, { last_pos: 1, unread: 1 })] }));
    expect(await inbox.read(alice, channelId, 3)).toEqual({ ok: { read_pos: 3 } });
    expect(await inbox.read(alice, channelId, Number.MAX_SAFE_INTEGER)).toEqual({ ok: { read_pos: 3 } });
    await written(1);
    await inbox.tell(alice.user_id, telling({ badges: [badgeOf(channelId, { last_pos: 4, read_pos: 3, as_of_seq: 4, unread: 1 })] }));
    await vi.waitFor(async () => expect(await stored()).toMatchObject({ read_pos: 3 }), 10_000);
    expect(await inbox.read(alice, channelId, 4)).toEqual({ ok: { read_pos: 4 } });
  });

  it('resumes at (epoch, seq), across eviction, with everything once (G2, G4)', async () => {
    const { channelId, inbox, alice, open } = await inboxFixture();
    const first = await open();
    const { epoch, seq } = first.welcome;
    await inbox.tell(alice.user_id, telling({ notices: [noticeOf(channelId, 1), noticeOf(channelId, 2)] }));
    await soon(() => expect(first.events).toHaveLength(2));
    await evictDurableObject(inbox);
    await inbox.tell(alice.user_id, telling({ notices: [noticeOf(channelId, 2), noticeOf(channelId, 3)] }));
    await soon(() => expect(first.events.map((event) => event.seq)).toEqual([1, 2, 3]));
    const again = await open({ epoch, seq });
    await soon(() => expect(again.events.map((event) => event.seq)).toEqual([1, 2, 3]));
    expect([again.welcome.recovered, (await open({ epoch: 9, seq: 0 })).welcome.recovered]).toEqual([true, false]);
  });

  it('that has lost its storage rebuilds itself from Postgres, in the next epoch, and is not notified again of what it was (G2, G4)', async () => {
    const { channelId, inbox, alice, open, stored, written } = await inboxFixture();
    await written(3);
    const first = await open();
    await inbox.tell(alice.user_id, telling({ notices: [noticeOf(channelId, 5)] }));
    await inbox.read(alice, channelId, 3);
    await vi.waitFor(async () => expect(await stored()).toMatchObject({ drained_seq: 2, read_pos: 3 }), 10_000);
    await evictDurableObject(inbox);
    await runInDurableObject(inbox, (_, state) => state.storage.deleteAll());
    await evictDurableObject(inbox);
    const { epoch, seq } = first.welcome;
    const again = await open({ epoch, seq });
    expect(again.welcome).toMatchObject({ epoch: expect.any(Number), seq: 2, recovered: false });
    await inbox.tell(alice.user_id, telling({ notices: [noticeOf(channelId, 5), noticeOf(channelId, 6)] }));
    expect(await inbox.read(alice, channelId, 2)).toEqual({ ok: { read_pos: 3 } });
    await soon(() => expect(again.events).toMatchObject([{ seq: 3, type: 'message.notified', channel_seq: 6 }]));
  });

  it('announces a membership once, by its version, and drops the badge of a channel that is left (G2, G5)', async () => {
    const { channelId, inbox, alice, open } = await inboxFixture();
    const socket = await open();
    const change = { event_id: uuidv7(), channel_id: channelId, actor_id: alice.user_id };
    await inbox.tell(alice.user_id, telling({ badges: [badgeOf(channelId)] }));
    await soon(() => expect(socket.badges).toMatchObject([{ unread: 1 }]));
    for (let n = 0; n < 2; n++) await inbox.applyMemberChange(alice.user_id, { ...change, role: null, version: 5 });
    await inbox.tell(alice.user_id, telling({ notices: [noticeOf(channelId, 7)], badges: [badgeOf(channelId, { as_of_seq: 9, unread: 2 })] }));
    await soon(() => expect(socket.events).toMatchObject([{ type: 'channel.left', channel_id: channelId, id: change.event_id }]));
    await soon(() => expect(socket.badges).toMatchObject([{ unread: 0 }]));
    await inbox.tell(alice.user_id, telling({ notices: [noticeOf(channelId, 8, { role: 'member', version: 6 })] }));
    await soon(() => expect(socket.events.map(({ type }) => type)).toEqual(['channel.left', 'message.notified']));
  });

  it('closes the sockets of a revoked credential, and refuses new ones (G5, P36)', async () => {
    const { inbox, alice, open } = await inboxFixture();
    const other = { ...alice, credential_id: uuidv7() };
    const [revoked, live] = [await open(null, alice), await open(null, other)];
    await inbox.revokeCredential(alice.credential_id);
    await soon(() => expect(revoked.closed).toEqual({ code: 4001 }));
    await expect(open(null, alice)).rejects.toThrow('unauthenticated');
    expect(live.closed).toBeNull();
  });

  it('moves no marker of a channel that the user is not a member of (G5), and learns from Postgres that they are', async () => {
    const [mine, other] = [await inboxFixture(), await inboxFixture()];
    const socket = await mine.open();
    socket.send({ type: 'read', id: 'r', channel_id: other.channelId, pos: 1 });
    await soon(() => expect(socket.result('r')).toMatchObject({ problem: { code: 'not_a_member' } }));
    socket.send({ type: 'read', id: 's', channel_id: uuidv7(), pos: 1 });
    await soon(() => expect(socket.result('s')).toMatchObject({ problem: { code: 'not_found' } }));
    const third = await inboxFixture();
    await third.written(1);
    await third.change(mine.alice, 'member');
    expect(await mine.inbox.read(mine.alice, third.channelId, 1)).toEqual({ ok: { read_pos: 1 } });
  });
});
