import type { z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { uuidv7 } from 'uuidv7';
import type { Transaction } from '../db/client.ts';
import { claimKey, keepAnswer, type KeyedRequest } from '../db/queries/idempotency.ts';
import { findMembership, type MemberRequest } from '../db/queries/members.ts';
import { findMe } from '../db/queries/users.ts';
import type { Channel } from '../protocol/api.ts';
import type { Outcome } from '../protocol/errors.ts';
import type { AppEnv } from './env.ts';
import { idempotencyKey } from './idempotency-key.ts';
import { readText } from './json.ts';
import { inTransaction, withPostgres } from './postgres.ts';
import { ProblemError, unwrap } from './problems.ts';
import { callInbox, callRoom } from './room.ts';
import { traceparentOf } from './traceparent.ts';

/** An answer of a directory route, and what it may look like: a kept one is read back by it. */
export interface Answer<T, S extends number> {
  readonly status: S;
  readonly body: T;
}

/** The answer to a change that was made, or why it was not. Its body is what came of the change, or what `bodyOf` makes of that. */
export function answered<T, S extends number>(status: S, outcome: Outcome<T>): Outcome<Answer<T, S>>;
export function answered<T, S extends number, B>(status: S, outcome: Outcome<T>, bodyOf: (made: T) => B): Outcome<Answer<B, S>>;
export function answered<T, S extends number>(status: S, outcome: Outcome<T>, bodyOf: (made: T) => unknown = (made) => made): Outcome<Answer<unknown, S>> {
  return 'problem' in outcome ? outcome : { ok: { status, body: bodyOf(outcome.ok) } };
}

interface Shape<T, S extends number> {
  readonly body: z.ZodType<T>;
  readonly statuses: readonly S[];
}

/**
 * Runs a change of the directory in one transaction with its outbox rows and, where the request bears an Idempotency-Key, with the kept answer (G2).
 * A refusal undoes everything and is not kept: it had no effect, so a repetition is judged afresh.
 */
export async function writeDirectory<T, S extends number>(
  c: Context<AppEnv>,
  shape: Shape<T, S>,
  effect: (tx: Transaction, now: Date) => Promise<Outcome<Answer<T, S>>>,
): Promise<Answer<T, S>> {
  const request = await keyedRequest(c);
  const now = new Date();
  return inTransaction(c, async (tx) => {
    const kept = request && (await takeKept(c, tx, request, now));
    if (kept) return readKept(c, shape, kept);
    const { status, body } = unwrap(await effect(tx, now));
    // In the order of the schema, as a repetition will have it: the same answer is the same bytes.
    const answer = { status, body: shape.body.parse(body) };
    if (request) await keepAnswer(tx, request, { status: answer.status, body: JSON.stringify(answer.body) }, now);
    return answer;
  });
}

/**
 * The same for a change that a room or an inbox makes, which no transaction of Postgres holds: the key is held while it is made, and its answer is kept behind it. Whoever dies in between leaves a
 * repetition that makes the change once more, which with each of these comes to the same. Without a key Postgres is not asked; with one it has to be there, for a promise that cannot be kept is refused.
 */
export async function keepAnswerOf<T, S extends number>(c: Context<AppEnv>, shape: Shape<T, S>, effect: () => Promise<Answer<T, S>>): Promise<Answer<T, S>> {
  return idempotencyKey(c.req.raw.headers) === null ? effect() : writeDirectory(c, shape, async () => ({ ok: await effect() }));
}

async function keyedRequest(c: Context<AppEnv>): Promise<KeyedRequest | null> {
  const key = idempotencyKey(c.req.raw.headers);
  if (key === null) return null;
  // What a request asks for may stand in its query, too: Slack's methods take their arguments from either.
  const [{ search }, body] = [new URL(c.req.url), await readText(c)];
  const asked = search === '' ? body : `${search}\n${body}`;
  const fingerprint = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(asked)));
  return { user_id: c.get('identity').actor.user_id, method: c.req.method, route: c.req.path, key, fingerprint };
}

async function takeKept(c: Context<AppEnv>, tx: Transaction, request: KeyedRequest, now: Date) {
  const claim = await claimKey(tx, request, now);
  if (claim.state === 'in_flight') throw new ProblemError({ code: 'idempotency_in_flight' });
  if (claim.state === 'mismatch') throw new ProblemError({ code: 'idempotency_mismatch' });
  if (claim.state === 'first') return null;
  unwrap(await findMe(tx, c.get('identity').actor.credential_id));
  return claim.answer;
}

function readKept<T, S extends number>(c: Context<AppEnv>, shape: Shape<T, S>, kept: { status: number; body: string | null }): Answer<T, S> {
  const status = shape.statuses.find((allowed) => allowed === kept.status);
  if (status === undefined) throw new Error('a kept answer has a status its route does not give');
  c.header('Idempotency-Replayed', 'true');
  const body = shape.body.safeParse(JSON.parse(kept.body ?? 'null'));
  return { status, body: body.success ? body.data : shape.body.parse(JSON.parse(kept.body ?? 'null', withPicture)) };
}

/** Answers are kept for a day, so some are of the release before this one, whose users had no pictures (0022). */
const withPicture = (_key: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && 'handle' in value && !('avatar' in value) ? { ...value, avatar: null } : value;

/**
 * Changes a member list, then tells the room before it answers, so that a removal has ended live access by then (G5). The telling is repeated by every
 * repetition of the request, whether or not there was anything left to change; where it fails the answer is 503.
 */
export async function changeMember<T, S extends number>(
  c: Context<AppEnv>,
  { channelId, userId }: { channelId: string; userId: string },
  shape: Shape<T, S>,
  effect: (tx: Transaction, request: MemberRequest) => Promise<Outcome<Answer<T, S>>>,
): Promise<Answer<T, S>> {
  const { credential_id: credentialId, user_id: actorId } = c.get('identity').actor;
  const change = { channelId, userId, actorId, credentialId, eventId: uuidv7(), traceparent: traceparentOf(c.req.raw.headers) };
  try {
    const answer = await writeDirectory(c, shape, (tx, now) => effect(tx, { ...change, now }));
    await tellRoom(c, change);
    return answer;
  } catch (error) {
    // Who has left a private channel may not know of it any more; yet their repetition of a leave must heal a telling that failed.
    if (userId === actorId && error instanceof ProblemError && error.problem.code === 'not_found') await tellRoom(c, change);
    throw error;
  }
}

type Telling = Pick<MemberRequest, 'channelId' | 'userId' | 'actorId' | 'eventId'>;

/** Tells a room, and the user's inbox, what Postgres now holds of a member. Throws `unavailable` where one of them cannot be told. */
export async function tellRoom(c: Context<AppEnv>, { channelId, userId, actorId, eventId }: Telling): Promise<void> {
  const change = await changeOf(c, { channelId, userId, actorId, eventId });
  if (!change) return;
  const told = await Promise.allSettled([
    callRoom(c.env, channelId, (room) => room.applyMemberChange(channelId, { ...change, user_id: userId })),
    callInbox(c.env, userId, (inbox) => inbox.applyMemberChange(userId, { ...change, channel_id: channelId })),
  ]);
  const failed = told.find((outcome) => outcome.status === 'rejected');
  if (failed === undefined) return;
  warnNotTold(c, channelId, failed.reason);
  throw new ProblemError({ code: 'unavailable', detail: 'the change is made, but not everybody concerned could be told: try again' });
}

/**
 * Tells the inbox of whoever has made a channel that they are its member. The channel's room needs no telling, for it learns its members when it opens.
 * Where the inbox cannot be told the channel is made all the same: the notifier repeats it, and nobody's access has to end by it.
 */
export async function tellInbox(c: Context<AppEnv>, telling: Telling): Promise<void> {
  const { channelId, userId } = telling;
  try {
    const change = await changeOf(c, telling);
    if (change) await callInbox(c.env, userId, (inbox) => inbox.applyMemberChange(userId, { ...change, channel_id: channelId }));
  } catch (error) {
    warnNotTold(c, channelId, error);
  }
}

/**
 * Tells a room what its channel is now, before the answer: it announces what it has not heard of. Throws `unavailable` where it cannot be told; a repetition
 * tells it again, and so does the fleet.
 */
export async function tellStanding(c: Context<AppEnv>, { id, kind, name, topic, purpose, archived_at, version }: Channel, event_id: string): Promise<void> {
  const change = { event_id, actor_id: c.get('identity').actor.user_id, name, topic, purpose, archived_at, kind };
  try {
    await callRoom(c.env, id, (room) => room.setStanding(id, { archived: archived_at !== null, version, change }));
  } catch (error) {
    warnNotTold(c, id, error);
    throw new ProblemError({ code: 'unavailable', detail: 'the change is made, but the channel could not be told: try again' });
  }
}

/** What Postgres holds of a member now; null for who never was one. */
async function changeOf(c: Context<AppEnv>, { channelId, userId, actorId, eventId }: Telling) {
  const membership = await withPostgres(c, (db) => findMembership(db, channelId, userId));
  return membership && { event_id: eventId, actor_id: actorId, ...membership };
}

export function warnNotTold(c: Context<AppEnv>, channelId: string, error: unknown): void {
  console.warn(JSON.stringify({ level: 'warn', request_id: c.get('requestId'), event: 'change_not_told', channel_id: channelId, error: String(error) }));
}
