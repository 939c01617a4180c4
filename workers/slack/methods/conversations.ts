import { z } from 'zod';
import { findChannel, listChannels, listMyChannels } from '../../../db/queries/channels.ts';
import { joinChannel, leaveChannel, listMembers, type Changed, type MemberRequest } from '../../../db/queries/members.ts';
import type { Transaction } from '../../../db/client.ts';
import type { Channel } from '../../../protocol/api.ts';
import { changeMember } from '../../directory.ts';
import { decodeId, encodeCursor } from '../../paging.ts';
import { unwrap } from '../../problems.ts';
import { flagArgument, limitArgument, textArgument } from '../arguments.ts';
import { channelOf } from '../channel-of.ts';
import { SlackError } from '../errors.ts';
import { type Call, method, nextCursor } from '../method.ts';
import { slackChannel } from '../shapes.ts';

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

function isWanted({ types, exclude_archived }: { readonly types: string; readonly exclude_archived: boolean }): (channel: Channel) => boolean {
  const kinds = new Set(types.split(',').map((type) => type.trim().replace(/_channel$/, '')));
  return ({ kind, archived_at }) => kinds.has(kind) && !(exclude_archived && archived_at !== null);
}

const list = method({
  ...READ,
  args: z.object(listing),
  async run(call, { cursor, limit, ...wish }) {
    const after = cursor === undefined ? null : decodeId('slack channels', cursor);
    const found = unwrap(await call.read((db, credentialId) => listChannels(db, credentialId, { after, limit: limit + 1 })));
    return { channels: found.slice(0, limit).filter(isWanted(wish)).map(slackChannel), ...nextPage('slack channels', found, limit) };
  },
});

/** There is more where one more than a page was found. */
function nextPage(name: string, found: readonly { readonly id: string }[], limit: number) {
  const last = found.length > limit ? found[limit - 1] : undefined;
  return nextCursor(last === undefined ? null : encodeCursor(name, last.id));
}

/** At most a thousand, which is what a page shows of them too. */
export const mine = method({
  ...READ,
  args: z.object({ ...listing, user: textArgument.optional() }),
  async run(call, { cursor, limit, user, ...wish }) {
    if (user !== undefined && user !== call.identity.user.id) throw new SlackError('user_not_found', { response_metadata: { messages: ['[ERROR] user: one sees one\'s own channels alone'] } });
    const all = await call.read((db, credentialId) => listMyChannels(db, credentialId, MAX_CHANNELS));
    const after = cursor === undefined ? null : decodeId('slack own', cursor);
    const page = all.slice(after === null ? 0 : all.findIndex(({ id }) => id === after) + 1, undefined).slice(0, limit + 1);
    return { channels: page.slice(0, limit).filter(isWanted(wish)).map(slackChannel), ...nextPage('slack own', page, limit) };
  },
});

const info = method({
  ...READ,
  args: z.object({ channel: textArgument, include_locale: flagArgument.optional() }),
  async run(call, { channel }) {
    const found = unwrap(await call.read((db, credentialId) => findChannel(db, credentialId, channelOf(channel))));
    return { channel: slackChannel(found) };
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

const CHANGED = { body: z.strictObject({ changed: z.boolean() }), statuses: [200] as const };

/** The caller joins or leaves; whether they had not yet. */
async function change(call: Call, channelId: string, effect: (tx: Transaction, request: MemberRequest) => Promise<Changed>): Promise<boolean> {
  const { body } = await changeMember(call.c, { channelId, userId: call.identity.user.id }, CHANGED, async (tx, request) => {
    const changed = await effect(tx, request);
    return 'problem' in changed ? changed : { ok: { status: 200, body: { changed: changed.ok } } };
  });
  return body.changed;
}

const join = method({
  ...WRITE,
  args: z.object({ channel: textArgument }),
  async run(call, { channel }) {
    const channelId = channelOf(channel);
    const changed = await change(call, channelId, joinChannel);
    const found = unwrap(await call.read((db, credentialId) => findChannel(db, credentialId, channelId)));
    return { channel: slackChannel(found), ...(!changed && { warning: 'already_in_channel' }) };
  },
});

const leave = method({
  ...WRITE,
  args: z.object({ channel: textArgument }),
  async run(call, { channel }) {
    return (await change(call, channelOf(channel), leaveChannel)) ? {} : { not_in_channel: true };
  },
});

export const conversationMethods = {
  'conversations.list': list,
  'conversations.info': info,
  'conversations.members': members,
  'conversations.join': join,
  'conversations.leave': leave,
};
