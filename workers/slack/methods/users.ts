import { z } from 'zod';
import { findListedUser, listUsers } from '../../../db/queries/user-list.ts';
import { idSchema } from '../../../protocol/primitives.ts';
import { decodeId, encodeCursor } from '../../paging.ts';
import { unwrap } from '../../problems.ts';
import { flagArgument, limitArgument, textArgument } from '../arguments.ts';
import { SlackError } from '../errors.ts';
import { type Call, method, nextCursor } from '../method.ts';
import { slackUser, TEAM_ID } from '../shapes.ts';
import { mine } from './conversations.ts';

const READ = { scope: 'channels:read', limit: 'read' } as const;
const LIST = 'slack users';
const FIRST = '00000000-0000-0000-0000-000000000000';

const originOf = ({ c }: Call): string => new URL(c.req.url).origin;

/** Of any token: it asks whose it is. */
const authTest = method({
  scope: null,
  limit: 'read',
  args: z.object({}),
  async run(call) {
    const user = unwrap(await call.read((db, credentialId) => findListedUser(db, credentialId, call.identity.user.id)));
    const { origin, host } = new URL(call.c.req.url);
    return { url: `${origin}/`, team: host, user: user.handle, team_id: TEAM_ID, user_id: user.id, ...(user.is_bot && { bot_id: user.id }), is_enterprise_install: false };
  },
});

const list = method({
  ...READ,
  args: z.object({ cursor: textArgument.optional(), limit: limitArgument(100, 1_000), include_locale: flagArgument.optional() }),
  async run(call, { cursor, limit }) {
    const after = cursor === undefined ? FIRST : decodeId(LIST, cursor);
    const found = unwrap(await call.read((db, credentialId) => listUsers(db, credentialId, { after, limit: limit + 1 })));
    const page = found.slice(0, limit);
    const last = found.length > limit ? page.at(-1) : undefined;
    return { members: page.map((user) => slackUser(user, originOf(call))), cache_ts: Math.floor(Date.now() / 1_000), ...nextCursor(last === undefined ? null : encodeCursor(LIST, last.id)) };
  },
});

const info = method({
  ...READ,
  words: { not_found: 'user_not_found' },
  args: z.object({ user: textArgument, include_locale: flagArgument.optional() }),
  async run(call, { user }) {
    if (!idSchema.safeParse(user).success) throw new SlackError('user_not_found');
    return { user: slackUser(unwrap(await call.read((db, credentialId) => findListedUser(db, credentialId, user))), originOf(call)) };
  },
});

export const userMethods = { 'auth.test': authTest, 'users.list': list, 'users.info': info, 'users.conversations': mine };
