import { z } from 'zod';
import type { Database } from '../../../db/client.ts';
import { findMoment } from '../../../db/queries/moments.ts';
import { findMessage, findPos, type Listing, type MessageSpan, readSpan, type Span } from '../../../db/queries/messages.ts';
import { decodeCounter, encodeCursor } from '../../paging.ts';
import { unwrap } from '../../problems.ts';
import { callInbox } from '../../room.ts';
import { readSettled } from '../../settled.ts';
import { tracedActor } from '../../traceparent.ts';
import { flagArgument, limitArgument, textArgument } from '../arguments.ts';
import { channelOf } from '../channel-of.ts';
import { SlackError } from '../errors.ts';
import { findByTs } from '../find-message.ts';
import { type Call, method, nextCursor } from '../method.ts';
import { peopleOf } from '../people.ts';
import { slackMessage } from '../shapes.ts';
import { parseTs, type Stamp, tsOf } from '../ts.ts';

const READ = { scope: 'messages:read', limit: 'read' } as const;
const MAX_MESSAGES = 200;
const NEWEST = Number.MAX_SAFE_INTEGER - 1;

const bounds = {
  cursor: textArgument.optional(),
  latest: textArgument.optional(),
  oldest: textArgument.optional(),
  inclusive: flagArgument.default(false),
  limit: limitArgument(100, MAX_MESSAGES),
};

/** Counters of a listing: those above `low`, up to `high`. */
interface Range {
  readonly low: number;
  readonly high: number;
}

interface Bounds {
  readonly oldest: Stamp | null;
  readonly latest: Stamp | null;
  readonly inclusive: boolean;
}

function boundsOf({ oldest, latest, inclusive }: { readonly oldest?: string | undefined; readonly latest?: string | undefined; readonly inclusive: boolean }): Bounds {
  const from = oldest === undefined ? null : parseTs(oldest);
  const to = latest === undefined ? null : parseTs(latest);
  if (oldest !== undefined && from === null) throw new SlackError('invalid_ts_oldest');
  if (latest !== undefined && to === null) throw new SlackError('invalid_ts_latest');
  return { oldest: from, latest: to, inclusive };
}

async function rangeOf(db: Database, listing: Listing, { oldest, latest, inclusive }: Bounds): Promise<Range> {
  const from = oldest && (await findMoment(db, listing, oldest));
  const to = latest && (await findMoment(db, listing, latest));
  return { low: from === null ? 0 : inclusive ? from.before : from.through, high: to === null ? NEWEST : inclusive ? to.through : to.before };
}

const upTo = (high: number, count: number): Span => ({ below: high < NEWEST ? high + 1 : null, older: count, from: 0, newer: 0 });
const from = (first: number, count: number): Span => ({ below: 0, older: 0, from: first, newer: count });

const history = method({
  ...READ,
  args: z.object({ channel: textArgument, ...bounds }),
  async run(call, { channel, cursor, limit, ...given }) {
    const listing = { channelId: channelOf(channel), threadId: null };
    const name = `slack history ${listing.channelId}`;
    const last = cursor === undefined ? NEWEST : decodeCounter(name, cursor);
    const wanted = boundsOf(given);
    // Whoever has sent a message finds it in what they read next, as in Slack; `/v1` tells how far an answer goes instead.
    return readSettled(call.c, listing.channelId, async (db, credentialId) => {
      const { low, high } = await rangeOf(db, listing, wanted);
      const span = unwrap(await readSpan(db, credentialId, listing, upTo(Math.min(high, last), limit)));
      const found = span.messages.filter(({ pos }) => (pos ?? 0) > low);
      const people = await peopleOf(db, found);
      const first = found[0]?.pos ?? 0;
      const has_more = first - 1 > low;
      const messages = found.toReversed().flatMap((message) => slackMessage(message, people) ?? []);
      return { messages, has_more, pin_count: 0, ...nextCursor(has_more ? encodeCursor(name, first - 1) : null) };
    });
  },
});

/** The root first, then replies in their order. */
const replies = method({
  ...READ,
  args: z.object({ channel: textArgument, ts: textArgument, ...bounds }),
  async run(call, { channel, ts, cursor, limit, ...given }) {
    const channelId = channelOf(channel);
    const named = await findByTs(call.c, channelId, ts);
    if (named === null) throw new SlackError('thread_not_found');
    const listing = { channelId, threadId: named.thread_id ?? named.message_id };
    const name = `slack thread ${listing.threadId}`;
    const next = cursor === undefined ? 1 : decodeCounter(name, cursor);
    const wanted = boundsOf(given);
    return readSettled(call.c, channelId, async (db, credentialId) => {
      const root = unwrap(await findMessage(db, credentialId, channelId, listing.threadId));
      const { low, high } = await rangeOf(db, listing, wanted);
      const room = cursor === undefined ? limit - 1 : limit;
      const span = unwrap(await readSpan(db, credentialId, listing, from(Math.max(next, low + 1), room)));
      const found = span.messages.filter(({ tpos }) => (tpos ?? 0) <= high);
      const people = await peopleOf(db, [root, ...found]);
      const of = { ts: tsOf(root), author_id: root.author_id };
      const messages = [...(cursor === undefined ? [slackMessage(root, people)] : []), ...found.map((message) => slackMessage(message, people, of))];
      return { messages: messages.flatMap((message) => message ?? []), ...rest(name, span, { low, high }, Math.max(next, low + 1), room) };
    });
  },
});

/** Whether there are replies behind those of a span of `room` from `first` on. */
function rest(name: string, { last }: MessageSpan, { high }: Range, first: number, room: number) {
  const next = first + room;
  const has_more = next <= Math.min(last, high);
  return { has_more, ...nextCursor(has_more ? encodeCursor(name, next) : null) };
}

const mark = method({
  ...READ,
  args: z.object({ channel: textArgument, ts: textArgument }),
  async run(call, { channel, ts }) {
    const channelId = channelOf(channel);
    await call.once(() => markUpTo(call, channelId, ts));
    return {};
  },
});

async function markUpTo(call: Call, channelId: string, ts: string): Promise<void> {
  const stamp = parseTs(ts);
  if (stamp === null) throw new SlackError('invalid_arguments');
  const named = await findByTs(call.c, channelId, ts);
  const look = async (db: Database) => (named === null ? (await findMoment(db, { channelId, threadId: null }, stamp)).through : await findPos(db, channelId, named.message_id));
  // Of a reply that Postgres has not yet, no place would be found.
  const pos = named?.pos ?? (await readSettled(call.c, channelId, look));
  const actor = tracedActor(call.c);
  unwrap(await callInbox(call.c.env, actor.user_id, (inbox) => inbox.read(actor, channelId, pos ?? 0)));
}

export const historyMethods = { 'conversations.history': history, 'conversations.replies': replies, 'conversations.mark': mark };
