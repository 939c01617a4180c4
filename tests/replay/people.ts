import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { isRetryable } from '../../client/errors.ts';
import { InboxSession } from '../../client/inbox-session.ts';
import { systemClock } from '../../client/ports.ts';
import { integer } from '../../client/testing/random.ts';
import { httpWriter, Load } from '../support/load.ts';
import type { WorldUser } from '../support/world.ts';
import type { Person } from './counters.ts';

export interface Crowd {
  /** One a channel, in their order. */
  readonly loads: readonly Load[];
  /** With the last read markers that were acknowledged. */
  readonly people: readonly Person[];
  /** What each person's inbox has told of a channel: unread messages and mentions. */
  told(userId: string, channelId: string): { readonly unread: number; readonly mentions: number };
  /** Ends what they do, and waits for the answers. */
  end(): Promise<void>;
  close(): void;
}

export interface CrowdOptions {
  readonly users: ReadonlyMap<string, WorldUser>;
  readonly channelIds: readonly string[];
  readonly texts: readonly string[];
  readonly random: () => number;
  /** Commands a second of each channel. */
  readonly perSecond: number;
}

const SLICE_SECONDS = 2;
/** A busy machine takes its time to start again what is killed again and again. */
const GIVE_UP_MS = 240_000;
/** A read marker of somebody is moved so often, in milliseconds. */
const READ_EVERY = 150;

/**
 * People who chat in the channels while the file is posted into them: they write, reply, edit, delete, react, name each other, and read, each with an
 * inbox that listens. Whatever fails for a moment is repeated until it is acknowledged.
 */
export function startCrowd({ users, channelIds, texts, random, perSecond }: CrowdOptions): Crowd {
  const ending = new AbortController();
  const handles = [...users.keys()];
  const named = texts.map((text, index) => (index % 4 === 0 ? `@${handles[index % handles.length]} ${text}` : text));
  const loads = channelIds.map((channelId) => new Load(channelId, [...users.values()].map(({ id, api }) => httpWriter(id, api, channelId)), named, GIVE_UP_MS));
  const inboxes = new Map([...users].map(([, user]) => [user.id, openInbox(user)]));
  const people = [...users].map(([handle, { id }]) => ({ id, handle, read: new Map<string, number>() }));
  const chatting = loads.map(async (load) => {
    while (!ending.signal.aborted) await load.run(perSecond, SLICE_SECONDS);
  });
  const reading = readAtRandom([...users.values()], channelIds, people, random, inboxes, ending.signal);
  return {
    loads,
    people,
    told: (userId, channelId) => {
      const badge = inboxes.get(userId)?.state.badges.get(channelId);
      return { unread: badge?.unread ?? 0, mentions: badge?.mentions ?? 0 };
    },
    end: async () => {
      ending.abort();
      await Promise.all([...chatting, reading]);
    },
    close: () => inboxes.forEach((inbox) => inbox.stop()),
  };
}

function openInbox({ api, token }: WorldUser): InboxSession {
  const openSocket = (url: string, protocols: string[]): WebSocket =>
    new WebSocket(url, protocols, { headers: { authorization: `Bearer ${token}` }, perMessageDeflate: false });
  const inbox = new InboxSession({ api, openSocket, tickets: false, clock: systemClock, random: () => Math.random() / 8 }, {});
  inbox.start();
  return inbox;
}

async function readAtRandom(
  users: readonly WorldUser[], channelIds: readonly string[], people: readonly Person[], random: () => number, inboxes: ReadonlyMap<string, InboxSession>, signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await sleep(READ_EVERY, undefined, { signal }).catch(() => {});
    const [who, where] = [integer(random, users.length), integer(random, channelIds.length)];
    const [user, person, channelId] = [users[who], people[who], channelIds[where]];
    if (user === undefined || person === undefined || channelId === undefined) return;
    const last = inboxes.get(user.id)?.state.badges.get(channelId)?.last_pos ?? 0;
    const pos = Math.max(person.read.get(channelId) ?? 0, integer(random, last + 1));
    await untilAcknowledged(() => user.api.markRead(channelId, pos));
    person.read.set(channelId, pos);
  }
}

async function untilAcknowledged(act: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await act();
      return;
    } catch (error) {
      if (!isRetryable(error)) throw error;
      await sleep(200);
    }
  }
}
