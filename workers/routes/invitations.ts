import { OpenAPIHono, z } from '@hono/zod-openapi';
import { uuidv7 } from 'uuidv7';
import { acceptInvitation } from '../../db/queries/acceptances.ts';
import { createInvitation, listInvitations, revokeInvitation } from '../../db/queries/invitations.ts';
import {
  type Acceptance, acceptanceBodySchema, acceptanceSchema, type Invitation, invitationBodySchema, invitationPageSchema, newInvitationSchema,
} from '../../protocol/invitations.ts';
import { idSchema } from '../../protocol/primitives.ts';
import { apiRoute, json, jsonBody, keyHeader, problemAnswer } from '../api-route.ts';
import { forgetProfile } from '../cache/forget-profile.ts';
import { answered, tellRoom, writeDirectory } from '../directory.ts';
import type { App, AppEnv } from '../env.ts';
import { hasScope } from '../identity/identity.ts';
import { hashSecret, INVITATION_FORM, mintSecret } from '../identity/secret.ts';
import { listingOf } from '../listing.ts';
import { cursorSchema, decodeId, encodeCursor, limitSchema } from '../paging.ts';
import { withPostgres } from '../postgres.ts';
import { ProblemError, unwrap } from '../problems.ts';
import type { Services } from '../services.ts';
import { traceparentOf } from '../traceparent.ts';

const PATH = '/v1/invitations';
const LIST = 'invitations';
const CHANNEL = '019abcde-0000-7000-8000-0000000000c1';
const ADA = '019abcde-0000-7000-8000-00000000000a';

const EXAMPLE: Invitation = {
  id: '019abcde-0000-7000-8000-000000000011',
  role: 'guest',
  channel_ids: [CHANNEL],
  created_by: ADA,
  max_uses: 5,
  uses: 0,
  created_at: '2026-11-23T10:00:00.000Z',
  expires_at: '2026-11-30T10:00:00.000Z',
  revoked_at: null,
};
const ACCEPTED: Acceptance = { user: { id: '019abcde-0000-7000-8000-00000000000b', handle: 'bob', display_name: 'Bob', role: 'guest', avatar: null }, channel_ids: [CHANNEL] };
const TOKEN = 'colink_inv_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';

const create = apiRoute({ scope: 'channels:write', limit: 'send' }, PATH, {
  method: 'post',
  summary: 'Invite people: to channels, for their owners and admins; as members, for administrators (scope admin). The token is shown this once',
  request: { headers: keyHeader, ...jsonBody(invitationBodySchema, { role: 'guest', channel_ids: [CHANNEL], expires_in: 604_800, max_uses: 5 }) },
  responses: { 201: json(newInvitationSchema, 'The invitation', { ...EXAMPLE, token: TOKEN }), 409: problemAnswer('conflict') },
});

const list = apiRoute({ scope: 'channels:read', limit: 'read' }, PATH, {
  method: 'get',
  summary: 'The caller\'s invitations, or to administrators everybody\'s, the newest first',
  request: { query: z.object({ limit: limitSchema, cursor: cursorSchema }) },
  responses: { 200: json(invitationPageSchema, 'A page of invitations', { data: [EXAMPLE], next_cursor: null }) },
});

const revoke = apiRoute({ scope: 'channels:write', limit: 'send' }, `${PATH}/{id}`, {
  method: 'delete',
  summary: 'Revoke an invitation, for whoever made it and administrators. Who has come in by it stays',
  request: { headers: keyHeader, params: z.object({ id: idSchema }) },
  responses: { 204: { description: 'Revoked' } },
});

/** Not below the path of invitations: a path beside a parameter would cost every request the fast router. */
const accept = apiRoute({ scope: 'channels:write', limit: 'send' }, '/v1/invitation-acceptances', {
  method: 'post',
  summary: 'Come in by an invitation: into its channels, and, for who has no place here yet, in its role. A second time it changes nothing',
  request: { headers: keyHeader, ...jsonBody(acceptanceBodySchema, { token: TOKEN }) },
  responses: { 200: json(acceptanceSchema, 'The caller, and those of the channels that they are in', ACCEPTED), 404: problemAnswer('not_found') },
});

export function invitationRoutes(services: Pick<Services, 'profiles' | 'redisBreaker'>): App {
  const app = new OpenAPIHono<AppEnv>();

  app.openapi(create, async (c) => {
    const { expires_in, ...wish } = c.req.valid('json');
    if (wish.role === 'member' && !hasScope(c.get('identity'), 'admin')) throw new ProblemError({ code: 'forbidden', detail: 'to invite members takes the scope admin' });
    const { credential_id: credentialId } = c.get('identity').actor;
    const [id, token] = [uuidv7(), mintSecret('invitation')];
    const secretHash = await hashSecret(token);
    const { body } = await writeDirectory(c, { body: newInvitationSchema, statuses: [201] }, async (tx, now) =>
      answered(201, await createInvitation(tx, { credentialId, now }, { ...wish, id, secretHash, expiresAt: new Date(now.getTime() + expires_in * 1_000) }), (made) => ({ ...made, token: null })),
    );
    // In the answer of whoever made it, and not in the one that is kept for repetitions.
    return c.json(body.id === id ? { ...body, token } : body, 201);
  });

  app.openapi(list, async (c) => {
    const { limit, cursor } = c.req.valid('query');
    const before = cursor === undefined ? null : decodeId(LIST, cursor);
    const found = unwrap(await withPostgres(c, (db) => listInvitations(db, c.get('identity').actor.credential_id, { before, limit: limit + 1 })));
    return c.json(listingOf(c, found, limit, ({ id }) => encodeCursor(LIST, id)), 200);
  });

  app.openapi(revoke, async (c) => {
    const { credential_id: credentialId } = c.get('identity').actor;
    await writeDirectory(c, { body: z.null(), statuses: [204] as const }, async (tx, now) =>
      answered(204, await revokeInvitation(tx, { credentialId, now }, c.req.valid('param').id), () => null),
    );
    return c.body(null, 204);
  });

  app.openapi(accept, async (c) => {
    const { token } = c.req.valid('json');
    if (!INVITATION_FORM.test(token)) throw new ProblemError({ code: 'not_found', detail: 'there is no such invitation, or it is good no more' });
    const { credential_id: credentialId, user_id: userId } = c.get('identity').actor;
    const request = { credentialId, secretHash: await hashSecret(token), traceparent: traceparentOf(c.req.raw.headers) };
    const { body } = await writeDirectory(c, { body: acceptanceSchema, statuses: [200] }, async (tx, now) =>
      answered(200, await acceptInvitation(tx, { ...request, now })),
    );
    await forgetProfile(c, services, userId);
    for (const channelId of body.channel_ids) await tellRoom(c, { channelId, userId, actorId: userId, eventId: uuidv7() });
    return c.json(body, 200);
  });

  return app;
}
