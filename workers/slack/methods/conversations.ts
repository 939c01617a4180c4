import { z } from 'zod';
import { findAnyChannel, findChannel, listChannels, listMyChannels } from '../../../db/queries/channels.ts';
import { listDirectChannels, listDirectUsers } from '../../../db/queries/direct-channels.ts';
import { joinChannel, leaveChannel, listMembers, type Changed, type MemberRequest } from '../../../db/queries/members.ts';
import type { Database, Transaction } from '../../../db/client.ts';
import { type Channel, channelSchema, type DirectChannel } from '../../../protocol/api.ts';
import { MAX_DIRECT_USERS } from '../../../protocol/limits.ts';
import { idSchema } from '../../../protocol/primitives.ts';
import { changeMember } from '../../directory.ts';
import { decodeCursor, decodeId, encodeCursor } from '../../paging.ts';
import { unwrap } from '../../problems.ts';
import { flagArgument, limitArgument, textArgument } from '../arguments.ts';
import { channelOf } from '../channel-of.ts';
import { openDirectOnce } from '../direct.ts';
import { SlackError } from '../errors.ts';
import { type Answer, type Call, method, nextCursor } from '../method.ts';
import { slackChannel, slackDirect } from '../shapes.ts';

const READ = { scope: 'channels:read', limit: 'read' } as const;
const WRITE = { scope: 'channels:write', limit: 'send' } as const;
const FIRST = '00000000-0000-0000-0000-000000000000';
const MAX_CHANNELS = 1_000;

const listing = {
  cursor: textArgument.optional(),
  limit: limitArgument(100, MAX_CHANNELS),
  types: textArgument.default('public_channel'),
  exclude_archived: flagArgument.default(false),
};
type Listing = z.infer<z.ZodObject<typeof listing>>;

/** Channels with a name, of a listing: at most `count` behind the one of the id `after`. */
type Named = (db: Database, credentialId: string, after: string | null, count: number) => Promise<readonly Channel[]>;

/** A page of channels with a name, and behind the last of those direct channels, the newest first; cursors are of the list `name`. */
async function page(call: Call, name: string, { cursor, limit, types, exclude_archived }: Listing, named: Named): Promise<Answer> {
  const kinds = new Set(types.split(',').map((type) => type.trim().replace(/_channel$/, '')));
  const place = placeOf(name, cursor);
  const isWanted = ({ kind, archived_at }: Channel): boolean => kinds.has(kind) && !(exclude_archived && archived_at !== null);
  return call.read(async (db, credentialId) => {
    const found = place.isDirect || !(kinds.has('public') || kinds.has('private')) ? [] : await named(db, credentialId, place.id, limit + 1);
    const channels = found.slice(0, limit).filter(isWanted).map(slackChannel);
    if (found.length > limit || !(kinds.has('im') || kinds.has('mpim'))) return { channels, ...nextPage(name, found, limit) };
    const room = limit - channels.length;
    if (room === 0) return { channels, ...nextCursor(encodeCursor(name, DIRECT)) };
    const direct = unwrap(await listDirectChannels(db, credentialId, { before: place.isDirect ? place.id : null, limit: room + 1 }));
    const wanted = direct.slice(0, room).filter(({ user_ids }) => kinds.has(user_ids.length > 2 ? 'mpim' : 'im'));
    const users = await listDirectUsers(db, wanted);
    return { channels: [...channels, ...wanted.map((channel) => slackDirect(channel, call.identity.user.id, users))], ...nextPage(name, direct, room, DIRECT) };
  });
}

/** Before the id of a place among direct channels; alone: before the first. */
const DIRECT = 'direct:';

function placeOf(name: string, cursor: string | undefined): { readonly isDirect: boolean; readonly id: string | null } {
  if (cursor === undefined) return { isDirect: false, id: null };
  const position = decodeCursor(name, cursor);
  const isDirect = position.startsWith(DIRECT);
  if (position === DIRECT) return { isDirect, id: null };
  const id = idSchema.safeParse(isDirect ? position.slice(DIRECT.length) : position);
  if (!id.success) throw new SlackError('invalid_cursor');
  return { isDirect, id: id.data };
}

/** There is more where one more than a page was found. */
function nextPage(name: string, found: readonly { readonly id: string }[], limit: number, before = '') {
  const last = found.length > limit ? found[limit - 1] : undefined;
  return nextCursor(last === undefined ? null : encodeCursor(name, before + last.id));
}

const list = method({
  ...READ,
  args: z.object(listing),
  run: (call, args) => page(call, 'slack channels', args, async (db, credentialId, after, limit) => unwrap(await listChannels(db, credentialId, { after, limit }))),
});

/** At most a thousand with a name, which is what a page shows of them too. */
export const mine = method({
  ...READ,
  args: z.object({ ...listing, user: textArgument.optional() }),
  async run(call, { user, ...args }) {
    if (user !== undefined && user !== call.identity.user.id) throw new SlackError('user_not_found', { response_metadata: { messages: ['[ERROR] user: one sees one\'s own channels alone'] } });
    return page(call, 'slack own', args, async (db, credentialId, after, count) => {
      const all = await listMyChannels(db, credentialId, MAX_CHANNELS);
      return all.slice(after === null ? 0 : all.findIndex(({ id }) => id === after) + 1).slice(0, count);
    });
  },
});

/** Of any kind. */
async function anyChannel(call: Call, channelId: string): Promise<Channel | DirectChannel> {
  return unwrap(await call.read((db, credentialId) => findAnyChannel(db, credentialId, channelId)));
}

async function direct(call: Call, channel: DirectChannel): Promise<Readonly<Record<string, unknown>>> {
  return slackDirect(channel, call.identity.user.id, await call.read((db) => listDirectUsers(db, [channel])));
}

const info = method({
  ...READ,
  args: z.object({ channel: textArgument, include_locale: flagArgument.optional() }),
  async run(call, { channel }) {
    const found = await anyChannel(call, channelOf(channel));
    return { channel: found.kind === 'direct' ? await direct(call, found) : slackChannel(found) };
  },
});

const members = method({
  ...READ,
  args: z.object({ channel: textArgument, cursor: textArgument.optional(), limit: limitArgument(100, MAX_CHANNELS) }),
  async run(call, { channel, cursor, limit }) {
    const channelId = channelOf(channel);
    const name = `slack members ${channelId}`;
    const after = cursor === undefined ? FIRST : decodeId(name, cursor);
    const found = unwrap(await call.read((db, credentialId) => listMembers(db, credentialId, channelId, { after, limit: limit + 1 })));
    const ids = found.map(({ user }) => user);
    return { members: ids.slice(0, limit).map(({ id }) => id), ...nextPage(name, ids, limit) };
  },
});

const open = method({
  ...WRITE,
  args: z.object({ channel: textArgument.optional(), users: textArgument.optional(), return_im: flagArgument.default(false), prevent_creation: flagArgument.default(false) }),
  async run(call, { channel, users, return_im, prevent_creation }) {
    const { channel: opened, was_open } = await openDirectOnce(call, await usersOf(call, channel, users), !prevent_creation);
    const was = was_open && { no_op: true, already_open: true };
    return { ...was, channel: return_im ? await direct(call, opened) : { id: opened.id } };
  },
});

/** Whose direct channel is meant: that of an id, or that of these and the caller. */
async function usersOf(call: Call, channel: string | undefined, users = ''): Promise<readonly string[]> {
  if (channel !== undefined) {
    const found = await anyChannel(call, channelOf(channel));
    if (found.kind !== 'direct') throw new SlackError('channel_not_found');
    return found.user_ids;
  }
  const ids = [...new Set(users.split(',').map((id) => id.trim()))].filter((id) => id !== '');
  if (ids.length === 0) throw new SlackError('users_list_not_supplied');
  if (new Set([...ids, call.identity.user.id]).size > MAX_DIRECT_USERS) throw new SlackError('too_many_users');
  if (!ids.every((id) => idSchema.safeParse(id).success)) throw new SlackError('user_not_found');
  return ids;
}

/** `channel`: as it was joined, and as a repetition under the same key has it again; null of one that was left. */
const CHANGED = { body: z.strictObject({ changed: z.boolean(), channel: channelSchema.nullable() }), statuses: [200] as const };

/** The caller joins or leaves; whether they had not yet. */
async function change(call: Call, channelId: string, effect: (tx: Transaction, request: MemberRequest) => Promise<Changed>, isThere: boolean): Promise<z.infer<typeof CHANGED.body>> {
  const { body } = await changeMember(call.c, { channelId, userId: call.identity.user.id }, CHANGED, async (tx, request) => {
    const changed = await effect(tx, request);
    if ('problem' in changed) return changed;
    const channel = isThere ? unwrap(await findChannel(tx, call.credentialId, channelId)) : null;
    return { ok: { status: 200, body: { changed: changed.ok, channel } } };
  });
  return body;
}

const join = method({
  ...WRITE,
  args: z.object({ channel: textArgument }),
  async run(call, { channel }) {
    const { changed, channel: joined } = await change(call, channelOf(channel), joinChannel, true);
    return { channel: joined && slackChannel(joined), ...(!changed && { warning: 'already_in_channel' }) };
  },
});

const leave = method({
  ...WRITE,
  args: z.object({ channel: textArgument }),
  async run(call, { channel }) {
    return (await change(call, channelOf(channel), leaveChannel, false)).changed ? {} : { not_in_channel: true };
  },
});

export const conversationMethods = {
  'conversations.list': list,
  'conversations.info': info,
  'conversations.members': members,
  'conversations.open': open,
  'conversations.join': join,
  'conversations.leave': leave,
};
