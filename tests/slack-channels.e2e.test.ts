import type { WebClient } from '@slack/web-api';
import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { pages, refusal, slackClient } from './support/slack.ts';
import { type SlackWorld, startSlackWorld, tsOf } from './support/slack-world.ts';
import type { World, WorldUser } from './support/world.ts';

let world: World;
let alice: WorldUser;
let bob: WorldUser;
let slack: WebClient;
let bobs: WebClient;
let channel: string;
let newChannel: SlackWorld['newChannel'];
const clientOf = (token: string, headers: Record<string, string> = {}) => slackClient(world.baseUrl, token, { headers });

beforeAll(async () => {
  ({ world, alice, bob, slack, bobs, channel, newChannel } = await startSlackWorld('slack-channels'));
});
afterAll(() => world?.close());

const named = z.looseObject({ id: z.string(), is_private: z.boolean().optional() });

describe('conversations', () => {
  it('are listed by kind, page by page', async () => {
    const secret = await alice.api.createChannel({ name: `s-${uuidv7()}`, kind: 'private', topic: 'hush' });
    const names = (client: WebClient, wish: object) => pages(client, 'conversations.list', 'channels', named, { limit: 3, ...wish });
    const all = await names(slack, { types: 'public_channel,private_channel' });
    expect(all.filter(({ is_private }) => is_private).map(({ id }) => id)).toEqual([secret.id]);
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
    expect((await names(slack, {})).map(({ id }) => id)).toEqual(all.map(({ id }) => id).filter((id) => id !== secret.id));
    expect((await names(bobs, { types: 'public_channel,private_channel' })).map(({ id }) => id)).not.toContain(secret.id);
    const { channels: own } = await slack.users.conversations({ types: 'private_channel' });
    expect(own?.map(({ id }) => id)).toEqual([secret.id]);
    expect((await slack.conversations.info({ channel: secret.id })).channel).toMatchObject({ id: secret.id, name: secret.name, is_private: true, is_member: true, topic: { value: 'hush' } });
  });

  it('that are private are not there for others, and public ones not read by who is no member (G5)', async () => {
    const secret = (await alice.api.createChannel({ name: `s-${uuidv7()}`, kind: 'private', topic: '' })).id;
    const sent = await slack.chat.postMessage({ channel: secret, text: 'nobody else' });
    const at = { channel: secret, timestamp: tsOf(sent) };
    for (const [of, word] of [[secret, 'channel_not_found'], [uuidv7(), 'channel_not_found'], [await newChannel(), 'not_in_channel']] as const) {
      const refused = await Promise.all([
        refusal(bobs.conversations.history({ channel: of })),
        refusal(bobs.conversations.replies({ channel: of, ts: at.timestamp })),
        refusal(bobs.chat.postMessage({ channel: of, text: 'x' })),
        refusal(bobs.chat.update({ channel: of, ts: at.timestamp, text: 'x' })),
        refusal(bobs.chat.delete({ channel: of, ts: at.timestamp })),
        refusal(bobs.reactions.add({ ...at, channel: of, name: '+1' })),
        refusal(bobs.reactions.get({ ...at, channel: of })),
        refusal(bobs.conversations.mark({ channel: of, ts: at.timestamp })),
      ]);
      expect(refused).toEqual(refused.map(() => word));
    }
    for (const of of [secret, uuidv7()]) {
      const refused = await Promise.all([bobs.conversations.info({ channel: of }), bobs.conversations.members({ channel: of }), bobs.conversations.join({ channel: of }), bobs.conversations.leave({ channel: of })].map(refusal));
      expect(refused).toEqual(refused.map(() => 'channel_not_found'));
    }
  });

  it('are joined and left', async () => {
    const own = await newChannel();
    expect(await bobs.conversations.join({ channel: own })).toMatchObject({ channel: { id: own, is_member: true } });
    expect(await bobs.conversations.join({ channel: own })).toMatchObject({ warning: 'already_in_channel' });
    expect((await slack.conversations.members({ channel: own })).members?.toSorted()).toEqual([alice.id, bob.id].toSorted());
    expect(await pages(slack, 'conversations.members', 'members', z.string(), { channel: own, limit: 1 })).toEqual([alice.id, bob.id].toSorted());
    expect(await bobs.chat.postMessage({ channel: own, text: 'hello' })).toMatchObject({ ok: true });
    expect(await bobs.conversations.leave({ channel: own })).toMatchObject({ ok: true });
    expect(await bobs.conversations.leave({ channel: own })).toMatchObject({ not_in_channel: true });
    expect(await refusal(bobs.chat.postMessage({ channel: own, text: 'x' }))).toBe('not_in_channel');
  });

  it('that are archived take nothing new', async () => {
    const own = await newChannel();
    const sent = await slack.chat.postMessage({ channel: own, text: 'before' });
    await fetch(`${world.baseUrl}/v1/channels/${own}/archive`, { method: 'POST', headers: { Authorization: `Bearer ${alice.token}` } });
    const refused = await Promise.all([slack.chat.postMessage({ channel: own, text: 'x' }), slack.chat.update({ channel: own, ts: tsOf(sent), text: 'x' }), slack.reactions.add({ channel: own, timestamp: tsOf(sent), name: '+1' }), bobs.conversations.join({ channel: own })].map(refusal));
    expect(refused).toEqual(refused.map(() => 'is_archived'));
    expect((await slack.conversations.history({ channel: own })).messages).toMatchObject([{ text: 'before' }]);
    expect((await slack.conversations.list({ exclude_archived: true, limit: 1_000 })).channels?.map(({ id }) => id)).not.toContain(own);
  });

  it('are marked as read', async () => {
    const own = await newChannel(bob);
    const sent = [];
    for (const n of [1, 2, 3]) sent.push(tsOf(await slack.chat.postMessage({ channel: own, text: `${n}` })));
    const reply = tsOf(await slack.chat.postMessage({ channel: own, text: 'reply', thread_ts: sent[0] ?? '' }));
    const marker = async () => (await bob.api.bootstrap()).channels.find(({ id }) => id === own)?.read_pos;
    for (const [at, pos] of [[reply, 1], [sent[1], 2], [sent[0], 2], [String(Date.now() / 1_000 + 5), 3]] as const) {
      await bobs.conversations.mark({ channel: own, ts: at ?? '' });
      await expect.poll(marker, { timeout: 10_000 }).toBe(pos);
    }
  });
});

describe('direct conversations', () => {
  const idOf = (answer: { channel?: { id?: string } }): string => answer.channel?.id ?? '';
  const direct = z.looseObject({ id: z.string(), is_im: z.boolean().optional(), is_mpim: z.boolean().optional() });
  const mineOf = (client: WebClient, types: string) => pages(client, 'conversations.list', 'channels', direct, { types, limit: 1 });

  it('are opened, once each, by whoever is in them', async () => {
    const [carol, dave] = [await world.user('carol'), await world.user('dave')];
    const opened = await slack.conversations.open({ users: carol.id, return_im: true });
    expect(opened).toMatchObject({ channel: { is_im: true, user: carol.id, is_archived: false } });
    expect(opened.already_open).toBeUndefined();
    const [again, theirs] = [await slack.conversations.open({ users: `${carol.id}, ${alice.id}` }), await clientOf(carol.token).conversations.open({ users: alice.id, return_im: true })];
    expect([idOf(again), idOf(theirs)]).toEqual([idOf(opened), idOf(opened)]);
    expect([again, theirs]).toMatchObject([{ already_open: true, no_op: true, channel: { id: idOf(opened) } }, { channel: { user: alice.id } }]);
    expect(await slack.conversations.open({ channel: idOf(opened), return_im: true })).toMatchObject({ channel: { id: idOf(opened), user: carol.id } });
    const group = await slack.conversations.open({ users: `${carol.id},${dave.id}`, return_im: true });
    expect(group).toMatchObject({ channel: { is_mpim: true, is_im: false, name: 'mpdm-alice--carol--dave-1' } });
    expect(idOf(await slack.conversations.open({ users: [alice, dave, carol].map(({ id }) => id).join(',') }))).toBe(idOf(group));
    const notes = await slack.conversations.open({ users: alice.id, return_im: true });
    expect(notes).toMatchObject({ channel: { user: alice.id } });
    const made = await world.sql<{ id: string }[]>`SELECT id FROM channels WHERE kind = 'direct' AND direct_user_ids @> ARRAY[${alice.id}::uuid]`;
    expect(made.map(({ id }) => id).toSorted()).toEqual([opened, group, notes].map(idOf).toSorted());
    expect((await slack.conversations.members({ channel: idOf(group) })).members).toEqual([alice.id, carol.id, dave.id].toSorted());
    expect((await slack.conversations.info({ channel: idOf(opened) })).channel).toMatchObject({ is_im: true, user: carol.id });
    expect((await clientOf(dave.token).conversations.info({ channel: idOf(group) })).channel).toMatchObject({ is_mpim: true, name: 'mpdm-alice--carol--dave-1' });
  });

  it('are said to have been open only where they were in the caller\'s list', async () => {
    const [judy, kate] = [await world.user('judy'), await world.user('kate')];
    const [judys, kates] = [clientOf(judy.token), clientOf(kate.token)];
    const open = async (client: WebClient, users: string) => {
      const { already_open, no_op, channel } = await client.conversations.open({ users });
      return { id: channel?.id ?? '', was: [already_open, no_op] };
    };
    const [opened, wasOpen] = [[undefined, undefined], [true, true]];
    const { id, was } = await open(judys, kate.id);
    expect([was, (await open(judys, kate.id)).was]).toEqual([opened, wasOpen]);
    // It was there, but not in her list: nobody has written.
    expect([await open(kates, judy.id), await open(kates, judy.id)]).toEqual([{ id, was: opened }, { id, was: wasOpen }]);
    await judy.api.closeDirectChannel(id);
    expect((await mineOf(judys, 'im')).map((channel) => channel.id)).toEqual([]);
    const again = await judys.conversations.open({ channel: id });
    expect([again.already_open, again.no_op, idOf(again)]).toEqual([undefined, undefined, id]);
    expect((await mineOf(judys, 'im')).map((channel) => channel.id)).toEqual([id]);
    // Closed, and opened by what the other one writes: it is in the list.
    await judy.api.closeDirectChannel(id);
    await kates.chat.postMessage({ channel: id, text: 'are you there?' });
    await expect.poll(async () => (await mineOf(judys, 'im')).map((channel) => channel.id), { timeout: 10_000 }).toEqual([id]);
    expect(await open(judys, kate.id)).toEqual({ id, was: wasOpen });
  });

  it('are listed to who is in them alone, beside channels with a name, page by page (G5)', async () => {
    const erin = await world.user('erin');
    const erins = clientOf(erin.token);
    const named = await world.channel(`c-${uuidv7()}`, [erin]);
    const one = idOf(await erins.conversations.open({ users: alice.id }));
    const group = idOf(await erins.conversations.open({ users: `${alice.id},${bob.id}` }));
    const ids = (found: readonly { id: string }[]) => found.map(({ id }) => id);
    expect(ids(await mineOf(erins, 'im'))).toEqual([one]);
    expect(ids(await mineOf(erins, 'mpim'))).toEqual([group]);
    const all = ids(await mineOf(erins, 'public_channel,mpim,im'));
    expect(all.slice(-2)).toEqual([group, one]);
    expect(all).toEqual([...new Set(all)]);
    expect(all).toContain(named);
    expect(ids(await pages(erins, 'users.conversations', 'channels', direct, { types: 'public_channel,im,mpim', limit: 2 }))).toEqual([named, group, one]);
    expect(ids(await mineOf(bobs, 'im,mpim'))).not.toContain(one);
    const refused = await Promise.all([bobs.conversations.info({ channel: one }), bobs.conversations.members({ channel: one }), bobs.conversations.open({ channel: one }), bobs.chat.postMessage({ channel: one, text: 'x' })].map(refusal));
    expect(refused).toEqual(refused.map(() => 'channel_not_found'));
    expect(await refusal(erins.conversations.list({ cursor: 'bm8' }))).toBe('invalid_cursor');
  });

  it('are refused with nobody, with too many, and with whom one cannot talk to', async () => {
    const left = await world.user('frank');
    await world.sql`UPDATE users SET deactivated_at = now() WHERE id = ${left.id}`;
    const many = Array.from({ length: 9 }, () => uuidv7()).join(',');
    for (const [word, wish] of [
      ['users_list_not_supplied', { users: ' , ' }], ['too_many_users', { users: many }], ['user_not_found', { users: uuidv7() }], ['user_not_found', { users: 'U024BE7LH' }],
      ['user_not_found', { users: left.id }], ['channel_not_found', { channel }], ['channel_not_found', { users: (await world.user('grace')).id, prevent_creation: true }],
    ] as const) expect([wish, await refusal(slack.conversations.open(wish))]).toEqual([wish, word]);
    expect(await world.sql`SELECT id FROM channels WHERE kind = 'direct' AND direct_user_ids @> ARRAY[(SELECT id FROM users WHERE handle = 'grace')]`).toEqual([]);
    const guest = await world.user('gus');
    await world.sql`UPDATE users SET role = 'guest' WHERE id = ${guest.id}`;
    const guests = clientOf(guest.token);
    expect([await refusal(guests.conversations.open({ users: alice.id })), await refusal(guests.chat.postMessage({ channel: alice.id, text: 'x' }))]).toEqual(['user_not_found', 'channel_not_found']);
  });

  it('are opened by a message to a user, which is sent once (G2)', async () => {
    const heidi = await world.user('heidi');
    const keyed = clientOf(alice.token, { 'Idempotency-Key': uuidv7() });
    const sent = await Promise.all([1, 2, 3].map(() => keyed.chat.postMessage({ channel: heidi.id, text: 'hello' })));
    const [first] = sent;
    expect(sent.map(({ ts, channel: of }) => [ts, of])).toEqual(sent.map(() => [first?.ts, first?.channel]));
    const at = first?.channel ?? '';
    expect(at).not.toBe(heidi.id);
    await slack.chat.postMessage({ channel: heidi.id, text: 'and so on', thread_ts: tsOf(first ?? {}) });
    const heidis = clientOf(heidi.token);
    expect((await heidis.conversations.history({ channel: at })).messages).toMatchObject([{ text: 'hello', user: alice.id, reply_count: 1 }]);
    await expect.poll(async () => (await mineOf(heidis, 'im')).map(({ id }) => id), { timeout: 10_000 }).toEqual([at]);
    expect(idOf(await heidis.conversations.open({ users: alice.id }))).toBe(at);
    const narrow = clientOf((await world.user('ivan', { scopes: ['messages:write'] })).token);
    expect(await refusal(narrow.chat.postMessage({ channel: heidi.id, text: 'x' }))).toBe('missing_scope');
    expect(await refusal(narrow.chat.postMessage({ channel: uuidv7(), text: 'x' }))).toBe('channel_not_found');
  });
});

describe('reactions', () => {
  it('are added and taken back by Slack\'s names', async () => {
    const own = await newChannel(bob);
    const root = await slack.chat.postMessage({ channel: own, text: 'react' });
    const reply = await slack.chat.postMessage({ channel: own, text: 'to this', thread_ts: tsOf(root) });
    const at = { channel: own, timestamp: tsOf(reply) };
    await slack.reactions.add({ ...at, name: 'thumbsup' });
    await bobs.reactions.add({ ...at, name: '+1' });
    await bobs.reactions.add({ ...at, name: 'wave::skin-tone-3' });
    await bobs.reactions.add({ ...at, name: 'partyparrot' });
    expect(await refusal(slack.reactions.add({ ...at, name: '+1' }))).toBe('already_reacted');
    expect(await refusal(slack.reactions.add({ ...at, name: 'no such' }))).toBe('invalid_name');
    const { message } = await slack.reactions.get(at);
    expect(message).toMatchObject({ ts: reply.ts, thread_ts: root.ts, reactions: [
      { name: '+1', users: [alice.id, bob.id], count: 2 }, { name: 'wave::skin-tone-3', users: [bob.id], count: 1 }, { name: 'partyparrot', users: [bob.id], count: 1 },
    ] });
    await slack.reactions.remove({ ...at, name: 'thumbsup' });
    expect(await refusal(slack.reactions.remove({ ...at, name: 'thumbsup' }))).toBe('no_reaction');
    expect((await slack.reactions.get(at)).message?.reactions?.[0]).toMatchObject({ name: '+1', users: [bob.id] });
    expect((await alice.api.replies(own, (await alice.api.history(own)).data[0]?.id ?? '')).data[0]?.reactions.map(({ emoji }) => emoji)).toEqual(['👍', '👋🏼', 'partyparrot']);
  });
});

describe('users', () => {
  it('are listed page by page and shown; a guest sees those of their channels', async () => {
    const guest = await world.user('guest');
    await world.sql`UPDATE users SET role = 'guest' WHERE id = ${guest.id}`;
    const own = (await alice.api.createChannel({ name: `g-${uuidv7()}`, kind: 'private', topic: '' })).id;
    await fetch(`${world.baseUrl}/v1/channels/${own}/members`, { method: 'POST', headers: { Authorization: `Bearer ${alice.token}`, 'Content-Type': 'application/json' }, body: JSON.stringify({ user_id: guest.id }) });
    const seen = async (client: WebClient) => (await pages(client, 'users.list', 'members', named, { limit: 2 })).map(({ id }) => id);
    const everybody = await world.sql<{ id: string }[]>`SELECT id FROM users ORDER BY id`;
    expect(await seen(slack)).toEqual(everybody.map(({ id }) => id));
    const guests = clientOf(guest.token);
    expect(await seen(guests)).toEqual([alice.id, guest.id].toSorted());
    expect((await slack.users.info({ user: guest.id })).user).toMatchObject({ id: guest.id, name: 'guest', is_restricted: true, is_bot: false, deleted: false });
    expect((await guests.users.info({ user: alice.id })).user).toMatchObject({ name: 'alice', profile: { display_name: 'alice' } });
    expect(await refusal(guests.users.info({ user: bob.id }))).toBe('user_not_found');
    for (const user of [uuidv7(), 'U024BE7LH']) expect(await refusal(slack.users.info({ user }))).toBe('user_not_found');
    expect((await guests.conversations.list({ types: 'public_channel,private_channel' })).channels?.map(({ id }) => id)).toEqual([own]);
    expect(await guests.chat.postMessage({ channel: own, text: 'hello' })).toMatchObject({ ok: true });
    expect(await refusal(guests.conversations.join({ channel }))).toBe('channel_not_found');
  });
});
