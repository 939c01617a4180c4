import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { Redeemed } from '../../durable-objects/sockets/actor-api.ts';
import type { Placement, SOCKET_REQUEST_HEADER, SocketRequest } from '../../durable-objects/channel-room/room-api.ts';
import type { NodeSocketRequest } from '../../durable-objects/fanout-node/node-api.ts';
import type { InboxSocketRequest } from '../../durable-objects/user-inbox/inbox-api.ts';
import { socketTicketSchema } from '../../protocol/api.ts';
import { problemSchema, type Problem } from '../../protocol/errors.ts';
import { TICKET_SECONDS } from '../../protocol/limits.ts';
import { decimalSchema } from '../../protocol/primitives.ts';
import { SUBPROTOCOL } from '../../protocol/version.ts';
import { apiRoute, channelParams, json, problemAnswer } from '../api-route.ts';
import type { App, AppEnv } from '../env.ts';
import { refusalFor } from '../guests.ts';
import { hasScope } from '../identity/identity.ts';
import { identify, type IdentityServices } from '../middleware/authenticate.ts';
import { isAllowedOrigin } from '../origins.ts';
import { ProblemError } from '../problems.ts';
import { readOffer, type Offer } from '../sockets.ts';

/** The type holds the name to the room's own; its value cannot be imported, because Workers know rooms by type only. */
const HEADER: typeof SOCKET_REQUEST_HEADER = 'colink-socket-request';

const SCOPES = 'a socket needs the scopes messages:read and messages:write';

const issue = apiRoute({ scope: 'messages:write', limit: 'read' }, '/v1/socket-tickets', {
  method: 'post',
  summary: 'A ticket that opens one socket of the caller, soon',
  responses: { 201: json(socketTicketSchema, 'The ticket') },
});

const cursor = z
  .strictObject({ epoch: decimalSchema(1).optional(), since: decimalSchema(0).optional() })
  .refine(({ epoch, since }) => (epoch === undefined) === (since === undefined), { message: 'epoch and since go together', path: ['since'] });

const join = createRoute({
  path: '/v1/channels/{id}/socket',
  method: 'get',
  summary: 'The live events of a channel, and commands to it, over a WebSocket; from a cursor where one is given',
  description: `Programs send Authorization. Browsers offer the subprotocols ${SUBPROTOCOL} and colink.ticket.<ticket>.`,
  security: [{ bearer: ['messages:read', 'messages:write'] }, {}],
  request: { params: channelParams, query: cursor },
  responses: {
    101: { description: `The socket, speaking ${SUBPROTOCOL}` },
    401: problemAnswer('unauthenticated'),
    403: problemAnswer('not_a_member'),
    404: problemAnswer('not_found'),
    422: problemAnswer('invalid'),
    426: problemAnswer('upgrade_required'),
    500: problemAnswer('internal'),
    503: problemAnswer('unavailable'),
  },
});

const joinInbox = createRoute({
  path: '/v1/me/socket',
  method: 'get',
  summary: 'What concerns the caller, live, over a WebSocket: badges, notices, read markers, memberships; from a cursor where one is given',
  description: `Programs send Authorization. Browsers offer the subprotocols ${SUBPROTOCOL} and colink.ticket.<ticket>.`,
  security: [{ bearer: ['messages:read', 'messages:write'] }, {}],
  request: { query: cursor },
  responses: {
    101: { description: `The socket, speaking ${SUBPROTOCOL}` },
    401: problemAnswer('unauthenticated'),
    403: problemAnswer('forbidden'),
    422: problemAnswer('invalid'),
    426: problemAnswer('upgrade_required'),
    500: problemAnswer('internal'),
    503: problemAnswer('unavailable'),
  },
});

export function socketTicketRoutes(): App {
  const app = new OpenAPIHono<AppEnv>();
  app.openapi(issue, async (c) => {
    const identity = c.get('identity');
    if (!hasScope(identity, 'messages:read')) throw new ProblemError({ code: 'forbidden', detail: SCOPES });
    const { actor } = identity;
    const ticket = await c.env.INBOXES.getByName(actor.user_id).issueTicket(actor);
    return c.json({ ticket, expires_in: TICKET_SECONDS }, 201);
  });
  return app;
}

/** The upgrade authenticates by itself: to be mounted before `authenticate`. */
export function socketRoutes(services: IdentityServices): App {
  const app = new OpenAPIHono<AppEnv>();
  app.openapi(join, async (c) => {
    requireUpgrade(c);
    const { id } = c.req.valid('param');
    const since = sinceOf(c.req.valid('query'));
    const offer = readOffer(c.req.raw.headers.get('sec-websocket-protocol'));
    const admitted = await authenticate(c, services, offer);
    const answer = await joinRoom(c, { channel_id: id, ...admitted, since });
    if (answer.webSocket === null) throw new ProblemError(await refusalFor(c, admitted.actor.credential_id, await problemOf(answer)));
    return relay(answer, offer);
  });
  app.openapi(joinInbox, async (c) => {
    requireUpgrade(c);
    const since = sinceOf(c.req.valid('query'));
    const offer = readOffer(c.req.raw.headers.get('sec-websocket-protocol'));
    const admitted = await authenticate(c, services, offer);
    return relay(await upgrade(c.env.INBOXES.getByName(admitted.actor.user_id), { ...admitted, since }), offer);
  });
  return app;
}

function requireUpgrade(c: Context<AppEnv>): void {
  if (c.req.raw.headers.get('upgrade')?.toLowerCase() !== 'websocket') throw new ProblemError({ code: 'upgrade_required' }, { Upgrade: 'websocket' });
}

const sinceOf = ({ epoch, since }: z.infer<typeof cursor>): SocketRequest['since'] => (epoch === undefined || since === undefined ? null : { epoch, seq: since });

/** Who asks for a socket, and the ticket for their next one. */
type Authenticated = Pick<SocketRequest, 'actor' | 'next_ticket'>;

async function authenticate(c: Context<AppEnv>, services: IdentityServices, { ticket }: Offer): Promise<Authenticated> {
  if (ticket !== null) return redeem(c, ticket);
  // A cookie alone opens no socket: browsers attach it for any page that asks, which a ticket proves not to be the case.
  if (!c.req.raw.headers.has('authorization')) throw new ProblemError({ code: 'unauthenticated', detail: 'a socket takes Authorization or a ticket' });
  const identity = await identify(c, services);
  if (!hasScope(identity, 'messages:read') || !hasScope(identity, 'messages:write')) {
    throw new ProblemError({ code: 'forbidden', detail: SCOPES });
  }
  const { actor } = identity;
  const next_ticket = await c.env.INBOXES.getByName(actor.user_id).issueNextTicket(actor).catch(() => undefined);
  // This isolate may trust it for a moment longer, and a room that the user has joined since was not told of it (G5).
  if (next_ticket === null) throw new ProblemError({ code: 'unauthenticated', detail: 'the credential was revoked' });
  return { actor, next_ticket };
}

async function redeem(c: Context<AppEnv>, ticket: NonNullable<Offer['ticket']>): Promise<Redeemed> {
  const origin = c.req.raw.headers.get('origin');
  if (origin !== null && !isAllowedOrigin(c, origin)) throw new ProblemError({ code: 'forged_origin' });
  const redeemed = ticket.userId === '' ? null : await c.env.INBOXES.getByName(ticket.userId).redeemTicket(ticket.text);
  if (redeemed === null) throw new ProblemError({ code: 'unauthenticated', detail: 'the ticket is unknown, used or expired' });
  return redeemed;
}

/** At the room, or at one of its nodes, where the room has its fill. The socket itself does not pass through the room then. */
async function joinRoom(c: Context<AppEnv>, request: SocketRequest): Promise<Response> {
  const answer = await upgrade(c.env.ROOMS.getByName(request.channel_id), request);
  if (answer.status !== 200) return answer;
  const { node, name } = await answer.json<Placement>();
  return upgrade(c.env.NODES.getByName(name), { ...request, node });
}

/** The client's own headers stay here, so that nobody can speak to an object in the Worker's name. */
function upgrade(object: Pick<Fetcher, 'fetch'>, request: SocketRequest | NodeSocketRequest | InboxSocketRequest): Promise<Response> {
  return object.fetch('https://object.invalid/', { headers: { Upgrade: 'websocket', [HEADER]: JSON.stringify(request) } });
}

async function relay(answer: Response, { speaksColink }: Offer): Promise<Response> {
  if (answer.webSocket === null) throw new ProblemError(await problemOf(answer));
  return new Response(null, { status: 101, webSocket: answer.webSocket, headers: speaksColink ? { 'Sec-WebSocket-Protocol': SUBPROTOCOL } : {} });
}

/** The room's own refusal, to be answered as every other. */
async function problemOf(answer: Response): Promise<Problem> {
  const { code, detail, retry_after } = problemSchema.parse(await answer.json());
  return { code, ...(detail !== undefined && { detail }), ...(retry_after !== undefined && { retry_after }) };
}
