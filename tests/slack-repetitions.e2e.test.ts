import { readFileSync } from 'node:fs';
import type { WebClient } from '@slack/web-api';
import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { refusal, slackClient } from './support/slack.ts';
import { type SlackWorld, startSlackWorld, tsOf } from './support/slack-world.ts';

type Args = Readonly<Record<string, unknown>>;

/** What bob asks for once, what he might have asked for instead, how what came of it is taken back, and what it changes. */
interface Deed {
  readonly args: Args;
  readonly other: Args;
  readonly undo: () => Promise<unknown>;
  readonly state: () => Promise<unknown>;
}

let stage: SlackWorld;
beforeAll(async () => {
  stage = await startSlackWorld('slack-repetitions');
});
afterAll(() => stage?.world.close());

/** The official client of somebody, each request of which bears this key; and whether its last answer was one that was kept. */
function keyed(token: string, key: string): { readonly client: WebClient; readonly isReplayed: () => boolean } {
  let last: Response | undefined;
  const fetchKept: typeof fetch = async (url, init) => (last = await fetch(url, init));
  const client = slackClient(stage.world.baseUrl, token, { headers: { 'Idempotency-Key': key }, fetch: fetchKept, retryConfig: { retries: 0 } });
  return { client, isReplayed: () => last?.headers.get('idempotency-replayed') === 'true' };
}

const textsOf = (channel: string) => async () => (await stage.slack.conversations.history({ channel })).messages?.map(({ text }) => text);

async function posted(): Promise<{ readonly channel: string; readonly ts: string; readonly another: string }> {
  const channel = await stage.newChannel(stage.bob);
  const [ts, another] = [tsOf(await stage.bobs.chat.postMessage({ channel, text: 'first' })), tsOf(await stage.bobs.chat.postMessage({ channel, text: 'another' }))];
  return { channel, ts, another };
}

async function reacted(isThere: boolean): Promise<Deed> {
  const { channel, ts } = await posted();
  const args = { channel, timestamp: ts, name: '+1' };
  if (isThere) await stage.bobs.reactions.add(args);
  return {
    args,
    other: { ...args, name: 'tada' },
    undo: () => (isThere ? stage.bobs.reactions.add(args) : stage.bobs.reactions.remove(args)),
    state: async () => (await stage.slack.reactions.get(args)).message?.reactions?.map(({ name, users }) => [name, users]) ?? [],
  };
}

async function membership(isMember: boolean): Promise<Deed> {
  const [channel, other] = [await stage.newChannel(...(isMember ? [stage.bob] : [])), await stage.newChannel(...(isMember ? [stage.bob] : []))];
  return {
    args: { channel },
    other: { channel: other },
    undo: () => (isMember ? stage.bobs.conversations.join({ channel }) : stage.bobs.conversations.leave({ channel })),
    state: async () => (await stage.slack.conversations.members({ channel })).members,
  };
}

/** Every method that changes something. */
const DEEDS: Readonly<Record<string, () => Promise<Deed>>> = {
  'chat.postMessage': async () => {
    const { channel, ts } = await posted();
    return { args: { channel, text: 'once' }, other: { channel, text: 'twice' }, undo: () => stage.bobs.chat.delete({ channel, ts }), state: textsOf(channel) };
  },
  'chat.update': async () => {
    const { channel, ts } = await posted();
    return { args: { channel, ts, text: 'second' }, other: { channel, ts, text: 'third' }, undo: () => stage.bobs.chat.update({ channel, ts, text: 'later' }), state: textsOf(channel) };
  },
  'chat.delete': async () => {
    const { channel, ts, another } = await posted();
    // What is deleted stays so; a repetition is to hear no `message_not_found`.
    return { args: { channel, ts }, other: { channel, ts: another }, undo: async () => {}, state: textsOf(channel) };
  },
  'conversations.join': () => membership(false),
  'conversations.leave': () => membership(true),
  'conversations.open': async () => {
    const [one, other] = [await stage.world.user(`with-${uuidv7()}`), await stage.world.user(`with-${uuidv7()}`)];
    const open = async () => (await stage.bobs.conversations.list({ types: 'im', limit: 1_000 })).channels?.filter(({ user }) => user === one.id).map(({ id }) => id) ?? [];
    return { args: { users: one.id }, other: { users: other.id }, undo: async () => stage.bob.api.closeDirectChannel((await open())[0] ?? ''), state: open };
  },
  'conversations.mark': async () => {
    const { channel, another, ts } = await posted();
    const state = async () => (await stage.bob.api.bootstrap()).channels.find(({ id }) => id === channel)?.read_pos;
    const undo = async () => {
      await stage.bob.api.markUnread(channel, 1);
      await expect.poll(state, { timeout: 10_000 }).toBe(0);
    };
    return { args: { channel, ts: another }, other: { channel, ts }, undo, state };
  },
  'reactions.add': () => reacted(false),
  'reactions.remove': () => reacted(true),
};

it('of every method that changes something it is said how', () => {
  const rows = readFileSync(new URL('../docs/slack.md', import.meta.url), 'utf8').split('\n').filter((line) => /^\| .*\| send \|/.test(line) || line.startsWith('| `conversations.mark`'));
  // Some rows name several: `conversations.join`, `.leave`.
  const named = rows.flatMap((row) => {
    const names = [...(row.split('|')[1] ?? '').matchAll(/`([a-zA-Z.]+)`/g)].map(([, name = '']) => name);
    return names.map((name) => (name.startsWith('.') ? `${names[0]?.split('.')[0]}${name}` : name));
  });
  expect(Object.keys(DEEDS).toSorted()).toEqual(named.toSorted());
});

describe('an Idempotency-Key of Slack\'s methods (G2)', () => {
  it.each(Object.keys(DEEDS))('has %s do once what it did, whatever has happened since, and is its caller\'s own', async (method) => {
    const deed = await DEEDS[method]?.();
    if (deed === undefined) throw new Error(method);
    const { client, isReplayed } = keyed(stage.bob.token, 'a-key');
    const first = await client.apiCall(method, deed.args);
    expect([first.ok, isReplayed()]).toEqual([true, false]);
    await deed.undo();
    const since = await deed.state();
    const again = await client.apiCall(method, deed.args);
    const answer = (of: typeof first) => ({ ...of, response_metadata: null });
    expect([answer(again), isReplayed()]).toEqual([answer(first), true]);
    expect(await deed.state()).toEqual(since);

    const refused = await client.apiCall(method, deed.other).catch((error: { data: unknown }) => error.data);
    expect(refused).toMatchObject({ ok: false, error: 'invalid_arguments' });
    expect(await deed.state()).toEqual(since);

    // Of somebody else's request nothing is known under it, so they are judged for themselves.
    const hers = keyed(stage.alice.token, 'a-key');
    expect(await refusal(hers.client.apiCall(method, deed.args))).not.toMatch(/invalid_arguments|service_unavailable/);
    expect(hers.isReplayed()).toBe(false);
  });

  it('that somebody else used before has everything done, by each of them', async () => {
    const { channel, ts } = await posted();
    const [bobs, hers] = [keyed(stage.bob.token, 'shared'), keyed(stage.alice.token, 'shared')];
    for (const { client } of [bobs, hers]) {
      await client.chat.postMessage({ channel, text: 'of both' });
      await client.reactions.add({ channel, timestamp: ts, name: '+1' });
    }
    expect((await textsOf(channel)())?.filter((text) => text === 'of both')).toHaveLength(2);
    expect((await stage.slack.reactions.get({ channel, timestamp: ts })).message?.reactions).toMatchObject([{ name: '+1', users: expect.arrayContaining([stage.alice.id, stage.bob.id]) }]);
  });

  it('stands for its arguments wherever they are', async () => {
    const [one, other] = [await stage.newChannel(), await stage.newChannel()];
    const join = async (channel: string) => {
      const headers = { Authorization: `Bearer ${stage.bob.token}`, 'Idempotency-Key': 'in-the-query' };
      const answer = await fetch(`${stage.world.baseUrl}/slack/api/conversations.join?channel=${channel}`, { headers });
      return { replayed: answer.headers.get('idempotency-replayed'), ...((await answer.json()) as object) };
    };
    expect([await join(one), await join(one)]).toMatchObject([{ ok: true, replayed: null }, { ok: true, replayed: 'true' }]);
    expect(await join(other)).toMatchObject({ ok: false, error: 'invalid_arguments', response_metadata: { messages: ['[ERROR] Idempotency-Key: This key was used with another request'] } });
    expect((await stage.slack.conversations.members({ channel: other })).members).toEqual([stage.alice.id]);
  });

  it('of which there are many at once does its work once', async () => {
    const { channel, ts } = await posted();
    const bob = () => slackClient(stage.world.baseUrl, stage.bob.token, { headers: { 'Idempotency-Key': 'at-once' } });
    // Those that come while the first one runs are told to come again, and the package does; without the key nine of them would hear `already_reacted`.
    const many = await Promise.all(Array.from({ length: 10 }, () => refusal(bob().reactions.add({ channel, timestamp: ts, name: '+1' }))));
    expect(many).toEqual(many.map(() => 'ok'));
  });
});
