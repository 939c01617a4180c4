import { OpenAPIHono, z } from '@hono/zod-openapi';
import type { Transaction } from '../../db/client.ts';
import { addMember, changeRole, findMember, joinChannel, leaveChannel, listMembers, removeMember, type Changed, type MemberRequest } from '../../db/queries/members.ts';
import { addMemberBodySchema, memberPageSchema, memberRoleBodySchema, memberSchema, type Member } from '../../protocol/api.ts';
import type { Outcome } from '../../protocol/errors.ts';
import { idSchema } from '../../protocol/primitives.ts';
import { apiRoute, channelParams, json, jsonBody, keyHeader, problemAnswer } from '../api-route.ts';
import { type Answer, answered, changeMember } from '../directory.ts';
import type { App, AppEnv } from '../env.ts';
import { listingOf } from '../listing.ts';
import { cursorSchema, decodeId, encodeCursor, limitSchema } from '../paging.ts';
import { withPostgres } from '../postgres.ts';
import { unwrap } from '../problems.ts';

const list = apiRoute({ scope: 'channels:read', limit: 'read' }, '/v1/channels/{id}/members', {
  method: 'get',
  summary: 'The members of a channel',
  request: { params: channelParams, query: z.object({ limit: limitSchema, cursor: cursorSchema }) },
  responses: { 200: json(memberPageSchema, 'A page of members') },
});

const answers = { 200: json(memberSchema, 'A member already'), 201: json(memberSchema, 'The new member'), 409: problemAnswer('channel_archived') };

const add = apiRoute({ scope: 'channels:write', limit: 'send' }, '/v1/channels/{id}/members', {
  method: 'post',
  summary: 'Add someone; for owners and admins of the channel. Whoever adds themselves as a member joins, which anybody may who sees a public channel',
  request: { headers: keyHeader, params: channelParams, ...jsonBody(addMemberBodySchema) },
  responses: answers,
});

/** `me` is a value of the parameter, not a path of its own: a path beside a parameter would cost every request the fast router. */
const ME = z.literal('me');

const join = apiRoute({ scope: 'channels:write', limit: 'send' }, '/v1/channels/{id}/members/{user_id}', {
  method: 'put',
  summary: 'Join a public channel: as `me`',
  request: { headers: keyHeader, params: channelParams.extend({ user_id: ME }) },
  responses: answers,
});

const remove = apiRoute({ scope: 'channels:write', limit: 'send' }, '/v1/channels/{id}/members/{user_id}', {
  method: 'delete',
  summary: 'Leave a channel, as `me`; or remove someone, for its owners and admins. Live access has ended when this returns',
  request: { headers: keyHeader, params: channelParams.extend({ user_id: ME.or(idSchema) }) },
  responses: { 204: { description: 'No member any more' }, 409: problemAnswer('conflict') },
});

const setRole = apiRoute({ scope: 'channels:write', limit: 'send' }, '/v1/channels/{id}/members/{user_id}', {
  method: 'patch',
  summary: 'Give a member another role, for owners and admins of the channel; owners alone make owners. It holds on live sockets when this returns',
  request: { headers: keyHeader, params: channelParams.extend({ user_id: ME.or(idSchema) }), ...jsonBody(memberRoleBodySchema) },
  responses: { 200: json(memberSchema, 'The member'), 409: problemAnswer('conflict') },
});

const MEMBER = { body: memberSchema, statuses: [200, 201] as const };
const GONE = { body: z.null(), statuses: [204] as const };

/** The answer to a joining: the member as the transaction leaves it. */
async function memberAnswer(tx: Transaction, { channelId, userId }: MemberRequest, changed: Changed): Promise<Outcome<Answer<Member, 200 | 201>>> {
  if ('problem' in changed) return changed;
  const member = await findMember(tx, channelId, userId);
  if (!member) throw new Error('the member vanished under the lock');
  return { ok: { status: changed.ok ? 201 : 200, body: member } };
}

const ROLE = { body: memberSchema, statuses: [200] as const };

const goneAnswer = (changed: Changed): Outcome<Answer<null, 204>> => answered(204, changed, () => null);

export function memberRoutes(): App {
  const app = new OpenAPIHono<AppEnv>();

  app.openapi(list, async (c) => {
    const { id } = c.req.valid('param');
    const { limit, cursor } = c.req.valid('query');
    const listName = `members ${id}`;
    const after = cursor === undefined ? '00000000-0000-0000-0000-000000000000' : decodeId(listName, cursor);
    const found = unwrap(await withPostgres(c, (db) => listMembers(db, c.get('identity').actor.credential_id, id, { after, limit: limit + 1 })));
    return c.json(listingOf(c, found, limit, (last) => encodeCursor(listName, last.user.id)), 200);
  });

  app.openapi(add, async (c) => {
    const { id: channelId } = c.req.valid('param');
    const { user_id: userId, role } = c.req.valid('json');
    const isJoining = role === 'member' && userId === c.get('identity').actor.user_id;
    const answer = await changeMember(c, { channelId, userId }, MEMBER, async (tx, request) => memberAnswer(tx, request, await (isJoining ? joinChannel(tx, request) : addMember(tx, { ...request, role }))));
    return c.json(answer.body, answer.status);
  });

  app.openapi(join, async (c) => {
    const { id: channelId } = c.req.valid('param');
    const userId = c.get('identity').actor.user_id;
    const answer = await changeMember(c, { channelId, userId }, MEMBER, async (tx, request) => memberAnswer(tx, request, await joinChannel(tx, request)));
    return c.json(answer.body, answer.status);
  });

  app.openapi(setRole, async (c) => {
    const { id: channelId, user_id } = c.req.valid('param');
    const { role } = c.req.valid('json');
    const userId = user_id === 'me' ? c.get('identity').actor.user_id : user_id;
    const answer = await changeMember(c, { channelId, userId }, ROLE, async (tx, request) => answered(200, await memberAnswer(tx, request, await changeRole(tx, { ...request, role })), (made) => made.body));
    return c.json(answer.body, 200);
  });

  app.openapi(remove, async (c) => {
    const { id: channelId, user_id } = c.req.valid('param');
    const me = c.get('identity').actor.user_id;
    const [userId, change] = user_id === 'me' || user_id === me ? [me, leaveChannel] : [user_id, removeMember];
    await changeMember(c, { channelId, userId }, GONE, async (tx, request) => goneAnswer(await change(tx, request)));
    return c.body(null, 204);
  });

  return app;
}
