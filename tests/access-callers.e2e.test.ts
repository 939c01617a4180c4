import { uuidv7 } from 'uuidv7';
import { z } from 'zod';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApi } from '../client/http.ts';
import { type Scope, scopeSchema } from '../protocol/scopes.ts';
import { ruleOf } from './support/access-rules.ts';
import type { Operation } from './support/api-document.ts';
import { Bed, madeSchema } from './support/bed.ts';
import { problemOf, type RawResponse, rawRequest } from './support/raw-http.ts';
import { document, type Names, requestOf } from './support/route-requests.ts';
import { startWorld, type World, type WorldUser } from './support/world.ts';

/**
 * Every route by callers that are less than a person with all scopes (`access.e2e.test.ts` has those): tokens of bots, tokens of few scopes, and who manages a channel but not the workspace.
 */
const OPERATIONS = document.operations.filter(({ path }) => path.startsWith('/v1/'));
const OF_CHANNELS = OPERATIONS.filter(({ path }) => path.startsWith('/v1/channels/{id}'));
/** Of sockets it is said elsewhere what they tell: what is let through here is an answer. */
const isAnswered = ({ path }: Operation): boolean => !path.endsWith('/socket');
/** The scopes that a route asks of a bearer token. */
const scopesOf = ({ security }: Operation): Scope[] => z.array(scopeSchema).parse(security.flatMap(({ bearer = [] }) => bearer));

/** Who asks, and what they are in a channel where they are anything. */
interface Caller {
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly role: 'member' | 'admin' | 'owner';
  /** Somebody new. */
  make(scopes: readonly Scope[]): Promise<WorldUser>;
}

/** Rights that a route asks for beyond its rule, of what its example does: refused to all of these callers. */
const MORE: Readonly<Record<string, string>> = {
  // Its example is of members, whom administrators invite.
  'POST /v1/invitations': 'invites members',
};

/** What is done to a message of others by nobody in the channel, and by who manages it alone. */
const OF_AUTHORS = new Set(['PATCH /v1/channels/{id}/messages/{message_id}', 'GET /v1/channels/{id}/messages/{message_id}/revisions']);
const OF_MANAGERS = new Set(['DELETE /v1/channels/{id}/messages/{message_id}', 'DELETE /v1/channels/{id}/messages/{message_id}/previews']);

let world: World;
let bed: Bed;
let admin: WorldUser;
let owner: WorldUser;
let secret: string;
let hidden: string;

beforeAll(async () => {
  world = await startWorld('access-callers', 'embedded', { consumers: false, redis: false });
  bed = new Bed(world);
  [admin, owner] = [await bed.person('admin'), await bed.person()];
  ({ id: secret } = await owner.api.createChannel({ name: 'secret', kind: 'private', topic: '' }));
  ({ message_id: hidden } = await owner.api.send(secret, { client_msg_id: 'first', text: 'nobody else may read this' }));
}, 120_000);
afterAll(() => world?.close());

async function bot(scopes: readonly Scope[]): Promise<WorldUser> {
  const { user } = z.looseObject({ user: madeSchema }).parse(await bed.call(admin, 'POST', '/v1/admin/bots', { handle: `bot-${uuidv7().slice(-12)}`, display_name: 'Bot' }));
  const { secret: token } = z.looseObject({ secret: z.string() }).parse(await bed.call(admin, 'POST', `/v1/admin/bots/${user.id}/tokens`, { name: 'bot', scopes }));
  return { id: user.id, token, api: createApi({ baseUrl: world.baseUrl, token }) };
}

let people = 0;
const person = (scopes: readonly Scope[]): Promise<WorldUser> => world.user(`caller-${++people}`, { scopes });

const CALLERS: readonly Caller[] = [
  { name: 'a bot with every scope', scopes: scopeSchema.options, role: 'member', make: bot },
  { name: 'a bot that may read and write messages alone', scopes: ['messages:read', 'messages:write'], role: 'member', make: bot },
  { name: 'an owner of the channel with a token that reads', scopes: ['messages:read', 'channels:read'], role: 'owner', make: person },
  { name: 'an admin of the channel who is none of the workspace', scopes: scopeSchema.options, role: 'admin', make: person },
];

/** A private channel that they are in, of somebody else unless they own it, and a message of another in it. */
async function channelOf(caller: WorldUser, role: Caller['role']): Promise<Names> {
  const other = await bed.person();
  const { id } = await other.api.createChannel({ name: `callers-${uuidv7()}`, kind: 'private', topic: '' });
  const { message_id } = await other.api.send(id, { client_msg_id: 'first', text: 'first' });
  const third = await bed.person();
  for (const [user_id, as] of [[caller.id, role === 'owner' ? 'admin' : role], [third.id, 'member']]) await bed.call(other, 'POST', `/v1/channels/${id}/members`, { user_id, role: as });
  if (role === 'owner') await bed.call(other, 'PATCH', `/v1/channels/${id}/members/${caller.id}`, { role: 'owner' });
  return { id, channel_id: id, message_id, thread_id: message_id, user_id: third.id };
}

const ask = (operation: Operation, names: Names, { token }: WorldUser): Promise<RawResponse> => rawRequest(world.baseUrl, requestOf(operation, names, token));

/** The word for what came of it: a problem's code, or that it was let through. */
function verdict(answer: RawResponse): string {
  return answer.status === 401 || answer.status === 403 ? problemOf(answer).code : 'let through';
}

describe.each(CALLERS)('$name', ({ scopes, role, make }) => {
  const lacks = (operation: Operation): Scope[] => scopesOf(operation).filter((scope) => !scopes.includes(scope));
  let caller: WorldUser;
  beforeAll(async () => {
    caller = await make(scopes);
  });

  it('is refused what its token has no scope for, and told which, whatever it may do besides', async () => {
    const names = await channelOf(caller, role);
    for (const operation of OPERATIONS.filter((candidate) => lacks(candidate).length > 0)) {
      const { status, code, detail } = problemOf(await ask(operation, names, caller));
      expect({ name: operation.name, status, code, detail }).toEqual({ name: operation.name, status: 403, code: 'forbidden', detail: expect.stringMatching(new RegExp(lacks(operation).join('|'))) });
    }
  });

  it('is refused what is for administrators and moderators', async () => {
    for (const operation of OPERATIONS.filter((candidate) => lacks(candidate).length === 0 && ['administrator', 'moderator'].includes(ruleOf(candidate) ?? ''))) {
      expect({ name: operation.name, verdict: verdict(await ask(operation, {}, caller)) }).toEqual({ name: operation.name, verdict: 'forbidden' });
    }
  });

  it('is told of a private channel that it is not in what it is told of none', async () => {
    for (const operation of OF_CHANNELS.filter((candidate) => lacks(candidate).length === 0)) {
      const refusals = [];
      for (const id of [secret, uuidv7()]) {
        const { request_id: _, ...problem } = problemOf(await ask(operation, { id, channel_id: id, message_id: hidden, thread_id: hidden, user_id: ruleOf(operation) === 'manager' ? owner.id : 'me' }, caller));
        refusals.push(problem);
      }
      expect({ name: operation.name, code: refusals[0]?.code }).toEqual({ name: operation.name, code: 'not_found' });
      expect(refusals[0]).toEqual(refusals[1]);
    }
  });

  it('is let through to what it may do in its channels, and manages them if it is to', async () => {
    for (const operation of OF_CHANNELS.filter((candidate) => isAnswered(candidate) && lacks(candidate).length === 0)) {
      const names = await channelOf(caller, role);
      const isManagement = ruleOf(operation) === 'manager';
      // One joins as `me` alone.
      const answer = await ask(operation, isManagement ? names : { ...names, user_id: 'me' }, caller);
      const isOthers = OF_AUTHORS.has(operation.name) || (OF_MANAGERS.has(operation.name) && role === 'member');
      const isRefused = (isManagement && role === 'member') || isOthers;
      expect({ name: operation.name, verdict: verdict(answer), text: answer.text }).toMatchObject({ name: operation.name, verdict: isRefused ? 'forbidden' : 'let through' });
      expect({ name: operation.name, text: answer.text, status: answer.status }).toMatchObject({ status: expect.toSatisfy((status: number) => status < 500) });
    }
  });

  it('is let through to what is its own', async () => {
    for (const operation of OPERATIONS.filter((candidate) => isAnswered(candidate) && lacks(candidate).length === 0 && ruleOf(candidate) === 'caller' && MORE[candidate.name] === undefined)) {
      const answer = await ask(operation, { id: caller.id }, caller);
      expect({ name: operation.name, text: answer.text, verdict: verdict(answer) }).toMatchObject({ name: operation.name, verdict: 'let through' });
    }
  });

  it('finds nothing of a channel that it is not in, wherever it looks', async () => {
    for (const operation of OPERATIONS.filter((candidate) => candidate.method === 'GET' && isAnswered(candidate) && lacks(candidate).length === 0 && ruleOf(candidate) === 'caller')) {
      const { text } = await ask(operation, { id: caller.id, q: 'nobody' }, caller);
      expect({ name: operation.name, told: [secret, hidden].filter((id) => text.includes(id)) }).toEqual({ name: operation.name, told: [] });
    }
  });
});

it('a bot hands on no scope that it has not got, and makes nobody an administrator', async () => {
  const small = await bot(['messages:read', 'credentials']);
  const asked = { method: 'POST', path: '/v1/me/tokens', headers: { authorization: `Bearer ${small.token}`, 'content-type': 'application/json' }, body: JSON.stringify({ name: 'more', scopes: ['messages:write'] }) };
  expect(problemOf(await rawRequest(world.baseUrl, asked))).toMatchObject({ code: 'forbidden', errors: [{ pointer: '/scopes/0' }] });
});

it('an admin of a channel makes no owner, and takes none its place', async () => {
  const manager = await bed.person();
  const { id, user_id } = await channelOf(manager, 'admin');
  const members = z.object({ data: z.array(z.looseObject({ user: madeSchema, role: z.string() })) }).parse(await bed.call(manager, 'GET', `/v1/channels/${id}/members`)).data;
  const theOwner = members.find((member) => member.role === 'owner')?.user.id ?? '';
  const tried = [['PATCH', user_id, { role: 'owner' }], ['PATCH', theOwner, { role: 'member' }], ['DELETE', theOwner, undefined]] as const;
  for (const [method, user, body] of tried) {
    const headers = { authorization: `Bearer ${manager.token}`, ...(body && { 'content-type': 'application/json' }) };
    const answer = await rawRequest(world.baseUrl, { method, path: `/v1/channels/${id}/members/${user}`, headers, ...(body && { body: JSON.stringify(body) }) });
    expect([method, user, body, problemOf(answer).code]).toEqual([method, user, body, 'forbidden']);
  }
});
