import type { Context } from 'hono';
import { uuidv7 } from 'uuidv7';
import { abandonUpload, beginUpload, finishUpload, UPLOAD_MINUTES, type Uploaded } from '../../db/queries/file-uploads.ts';
import { claimKey, findKept, keepAnswer, type KeyedRequest } from '../../db/queries/idempotency.ts';
import { findMe } from '../../db/queries/users.ts';
import { fileSchema, type FileState, mediaTypeSchema } from '../../protocol/files.ts';
import type { AppEnv } from '../env.ts';
import { idempotencyKey } from '../idempotency-key.ts';
import { inTransaction, withPostgres } from '../postgres.ts';
import { ProblemError, unwrap } from '../problems.ts';
import { traceparentOf } from '../traceparent.ts';
import { hashOnly, Incoming, receive, type Received } from './receive.ts';
import { isHonest, SNIFF_BYTES, sniffType, typeOf } from './sniff.ts';
import { contentKey, removeObjects } from './store.ts';

/** What a request says it brings. `size` in bytes. */
export interface Claim {
  readonly channelId: string;
  readonly name: string;
  readonly mediaType: string;
  readonly size: number;
}

/** By the headers of the request. Throws `length_required`, `body_too_large` or `invalid`. */
export function claimOf(c: Context<AppEnv>, query: Pick<Claim, 'channelId' | 'name'>): Claim {
  return { ...query, mediaType: claimedType(c.req.raw.headers), size: declaredSize(c) };
}

function claimedType(headers: Headers): string {
  const [type = ''] = (headers.get('content-type') ?? 'application/octet-stream').split(';');
  const claimed = mediaTypeSchema.safeParse(type.trim().toLowerCase());
  if (claimed.success) return claimed.data;
  throw new ProblemError({ code: 'invalid', errors: [{ pointer: '/content-type', detail: 'must be a media type' }] });
}

/** The store has to know it before the first byte, and so has the quota. */
function declaredSize(c: Context<AppEnv>): number {
  const headers = c.req.raw.headers;
  const declared = headers.get('content-length');
  if (declared === null || headers.has('transfer-encoding') || !/^\d{1,15}$/.test(declared)) throw new ProblemError({ code: 'length_required' });
  const [size, most] = [Number(declared), Number(c.env.MAX_FILE_BYTES)];
  if (size > most) throw new ProblemError({ code: 'body_too_large', detail: `at most ${most} bytes` });
  if (size === 0) throw new ProblemError({ code: 'invalid', errors: [{ pointer: '', detail: 'the body must not be empty' }] });
  return size;
}

export interface UploadAnswer {
  readonly file: FileState;
  readonly replayed: boolean;
}

/**
 * Takes a file: notes that it comes, stores it while it comes, and makes a file of it. Whatever happens in between leaves a note by which it is found
 * and removed; where this very request can still do so, it does.
 */
export async function upload(c: Context<AppEnv>, claim: Claim): Promise<UploadAnswer> {
  const key = idempotencyKey(c.req.raw.headers);
  const incoming = new Incoming(bodyOf(c), claim.size, AbortSignal.timeout(UPLOAD_MINUTES * 60_000));
  try {
    if (key !== null && (await isKept(c, key))) return await replay(c, key, claim, await hashOnly(incoming, claim.size));
    return await takeNew(c, key, claim, incoming);
  } catch (error) {
    // Not awaited: a client that sends on for long would hold up its own answer.
    c.executionCtx.waitUntil(incoming.cancel());
    throw error;
  }
}

function bodyOf(c: Context<AppEnv>): ReadableStream<Uint8Array> {
  const { body } = c.req.raw;
  if (body === null) throw new ProblemError({ code: 'unreadable_body', detail: 'the body broke off' });
  return body;
}

async function takeNew(c: Context<AppEnv>, key: string | null, claim: Claim, incoming: Incoming): Promise<UploadAnswer> {
  const id = uuidv7();
  await begin(c, id, key, claim);
  try {
    const sniffed = await sniffHonest(claim, incoming);
    const received = await receive(incoming, claim.size, (content) => c.env.FILES.put(contentKey(id), content));
    return await finish(c, key, claim, { id, mediaType: typeOf(claim.mediaType, sniffed), ...received });
  } catch (error) {
    c.executionCtx.waitUntil(abandon(c, id));
    throw error;
  }
}

async function begin(c: Context<AppEnv>, id: string, idempotencyKey: string | null, { channelId, size }: Claim): Promise<void> {
  const { credential_id: credentialId, user_id: userId } = c.get('identity').actor;
  const quota = { user: Number(c.env.MAX_USER_FILE_BYTES), workspace: Number(c.env.MAX_WORKSPACE_FILE_BYTES) };
  await inTransaction(c, async (tx) => {
    const problem = await beginUpload(tx, { id, credentialId, userId, channelId, size, idempotencyKey, now: new Date() }, quota);
    if (problem) throw new ProblemError(problem);
  });
}

/** Before anything is stored. Throws `invalid` for content that is not what it is said to be. */
async function sniffHonest({ mediaType }: Claim, incoming: Incoming): Promise<string | null> {
  const sniffed = await sniffType(await incoming.peek(SNIFF_BYTES));
  if (isHonest(mediaType, sniffed)) return sniffed;
  throw new ProblemError({ code: 'invalid', errors: [{ pointer: '/content-type', detail: `says ${mediaType}, but the content ${sniffed === null ? 'is not' : `is ${sniffed}`}` }] });
}

type Stored = Pick<Uploaded, 'id' | 'mediaType' | 'size' | 'sha256'>;

async function finish(c: Context<AppEnv>, key: string | null, claim: Claim, stored: Stored): Promise<UploadAnswer> {
  const request = key === null ? null : await keyed(c, key, claim, stored);
  const now = new Date();
  const uploaded = { ...stored, name: claim.name, credentialId: c.get('identity').actor.credential_id, eventId: uuidv7(), now, traceparent: traceparentOf(c.req.raw.headers) };
  return inTransaction(c, async (tx) => {
    // An earlier request of this key that was taken for dead may have ended after all.
    if (request && (await claimKey(tx, request, now)).state !== 'first') throw new ProblemError({ code: 'idempotency_in_flight' });
    const file = fileSchema.parse(unwrap(await finishUpload(tx, uploaded)));
    if (request) await keepAnswer(tx, request, { status: 201, body: JSON.stringify(file) }, now);
    return { file, replayed: false };
  });
}

/**
 * What the store may have of it is removed, here if that is possible, and by the fleet in any case. It has to be given up first: where the answer to a
 * commit got lost it is a file by now.
 */
async function abandon(c: Context<AppEnv>, id: string): Promise<void> {
  const isAbandoned = await inTransaction(c, (tx) => abandonUpload(tx, id, new Date())).catch(() => false);
  if (isAbandoned) await removeObjects(c.env.FILES, id).catch(() => {});
}

async function keyed(c: Context<AppEnv>, key: string, { channelId, name, mediaType }: Claim, { sha256 }: Pick<Received, 'sha256'>): Promise<KeyedRequest> {
  const text = new TextEncoder().encode(JSON.stringify([channelId, name, mediaType, sha256]));
  const fingerprint = new Uint8Array(await crypto.subtle.digest('SHA-256', text));
  return { user_id: c.get('identity').actor.user_id, method: 'POST', route: '/v1/files', key, fingerprint };
}

const isKept = (c: Context<AppEnv>, key: string): Promise<boolean> =>
  withPostgres(c, (db) => findKept(db, { user_id: c.get('identity').actor.user_id, method: 'POST', route: '/v1/files', key }, new Date()));

/** The request came before: the same content is answered as it was then, and other content is refused. */
async function replay(c: Context<AppEnv>, key: string, claim: Claim, received: Received): Promise<UploadAnswer> {
  const request = await keyed(c, key, claim, received);
  const kept = await inTransaction(c, async (tx) => {
    unwrap(await findMe(tx, c.get('identity').actor.credential_id));
    return claimKey(tx, request, new Date());
  });
  if (kept.state === 'mismatch') throw new ProblemError({ code: 'idempotency_mismatch' });
  if (kept.state !== 'done') throw new ProblemError({ code: 'idempotency_in_flight' });
  return { file: fileSchema.parse(JSON.parse(kept.answer.body ?? 'null')), replayed: true };
}
