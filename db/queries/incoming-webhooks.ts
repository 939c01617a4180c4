import { sql, type SQL } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import type { User } from '../../protocol/api.ts';
import type { Outcome, Problem } from '../../protocol/errors.ts';
import { type IncomingWebhook, MAX_INCOMING_WEBHOOKS } from '../../protocol/incoming-webhooks.ts';
import type { Queryable, Transaction } from '../client.ts';
import { incomingWebhooks } from '../schema/webhook-tables.ts';
import { type Standing, standingTables } from './access.ts';
import { type Act, recordAct } from './audit.ts';
import { avatarOf } from './avatar-column.ts';
import { insertBot } from './bots.ts';
import { insertCredential, revokeById } from './credentials.ts';
import { lockedUser, type RevokedAccess, setDeactivated } from './deactivation.ts';
import { deleteMember, insertMember, isMember, type MemberRequest, refuseManager, standingUnderLock } from './members.ts';
import { wireTime } from './time.ts';

type Row<T> = { [column: string]: unknown } & T;
type WebhookRow = Row<Omit<IncomingWebhook, 'bot'> & Omit<User, 'id'> & { bot_id: string }>;

const columns: SQL = sql`w.id, w.channel_id, w.bot_id, b.handle, b.display_name, b.role, ${avatarOf(sql`b`)} AS avatar, w.created_by, ${wireTime(sql`w.created_at`)} AS created_at,
  ${wireTime(sql`w.rotated_at`)} AS rotated_at, ${wireTime(sql`c.last_used_at`)} AS last_used_at`;
/** One whose bot was deactivated is none any more. */
const live: SQL = sql`incoming_webhooks w JOIN users b ON b.id = w.bot_id AND b.deactivated_at IS NULL LEFT JOIN credentials c ON c.id = w.credential_id`;

function toWebhook({ id, channel_id, bot_id, handle, display_name, role, avatar, created_by, created_at, rotated_at, last_used_at }: WebhookRow): IncomingWebhook {
  return { id, channel_id, bot: { id: bot_id, handle, display_name, role, avatar }, created_by, created_at, rotated_at, last_used_at };
}

/** Those of a channel, for its owners and admins, in the order in which they were made, after the one `after`. */
export async function listIncomingWebhooks(db: Queryable, credentialId: string, channelId: string, page: { after: string | null; limit: number }): Promise<Outcome<IncomingWebhook[]>> {
  const after = page.after === null ? sql`` : sql`AND w.id > ${page.after}`;
  const rows = await db.execute<WebhookRow & { standing: Standing | null }>(sql`
    SELECT s.standing, p.* FROM (SELECT jsonb_build_object('user_role', me.role, 'kind', ch.kind, 'my_role', mine.role) AS standing FROM ${standingTables(credentialId, channelId)}) s
    LEFT JOIN LATERAL (
      SELECT ${columns} FROM ${live} WHERE w.channel_id = ${channelId} AND w.revoked_at IS NULL ${after} ORDER BY w.id LIMIT ${page.limit}
    ) p ON true ORDER BY p.id`);
  const problem = refuseManager(rows[0]?.standing ?? undefined);
  return problem ? { problem } : { ok: rows.filter(({ id }) => id !== null).map(toWebhook) };
}

async function find(tx: Transaction, channelId: string, id: string): Promise<IncomingWebhook | null> {
  const [row] = await tx.execute<WebhookRow>(sql`SELECT ${columns} FROM ${live} WHERE w.id = ${id} AND w.channel_id = ${channelId} AND w.revoked_at IS NULL`);
  return row ? toWebhook(row) : null;
}

/** A fresh secret of a webhook, by its hash. */
interface FreshCredential {
  readonly id: string;
  readonly secret_hash: Uint8Array;
  readonly expires_at: Date;
}

/** `userId` of the request is the bot's. */
export type IncomingWebhookRequest = MemberRequest & { readonly id: string };

type ChangeRequest = Omit<IncomingWebhookRequest, 'userId'>;

const scopes = ['messages:write'];
const credentialOf = (fresh: FreshCredential, userId: string) => ({ ...fresh, kind: 'bot' as const, user_id: userId, name: 'incoming webhook', scopes });

/** The last 48 bits of its id are random. */
const handleOf = (id: string): string => `hook-${id.slice(-12)}`;

/** An owner or admin of the channel makes one: its bot, which is a member from now on, and its credential. `conflict` for one more than a channel may have. */
export async function createIncomingWebhook(tx: Transaction, request: IncomingWebhookRequest, name: string, fresh: FreshCredential): Promise<Outcome<IncomingWebhook>> {
  const { id, channelId, userId, actorId, now, traceparent } = request;
  const problem = (await refuseMaker(tx, request)) ?? (await refuseMore(tx, channelId));
  if (problem) return { problem };
  const bot = await insertBot(tx, { id: userId, ownerId: actorId, handle: handleOf(id), display_name: name, now, traceparent });
  if ('problem' in bot) return bot;
  await insertMember(tx, { ...request, role: 'member' });
  await insertCredential(tx, credentialOf(fresh, userId));
  await recordWebhook(tx, request, 'webhook.created');
  await tx.insert(incomingWebhooks).values({ id, channel_id: channelId, bot_id: userId, credential_id: fresh.id, created_by: actorId, created_at: now });
  return found(await find(tx, channelId, id));
}

const recordWebhook = (tx: Transaction, { id, channelId, actorId, credentialId }: ChangeRequest, act: Act['act']): Promise<void> =>
  recordAct(tx, { act, target: ['webhook', id], details: { channel_id: channelId, incoming: true } }, { actorId, credentialId });

async function refuseMaker(tx: Transaction, { credentialId, channelId }: MemberRequest): Promise<Problem | null> {
  const standing = await standingUnderLock(tx, credentialId, channelId);
  const problem = refuseManager(standing);
  if (problem) return problem;
  if (standing?.user_role === 'guest') return { code: 'forbidden', detail: 'guests make no webhooks' };
  return standing?.archived ? { code: 'channel_archived' } : null;
}

async function refuseMore(tx: Transaction, channelId: string): Promise<Problem | null> {
  const [count] = await tx.execute<{ n: number }>(sql`SELECT count(*)::integer AS n FROM incoming_webhooks w WHERE w.channel_id = ${channelId} AND w.revoked_at IS NULL`);
  return (count?.n ?? 0) < MAX_INCOMING_WEBHOOKS ? null : { code: 'conflict', detail: `a channel has ${MAX_INCOMING_WEBHOOKS} incoming webhooks at most` };
}

const found = (webhook: IncomingWebhook | null): Outcome<IncomingWebhook> => (webhook ? { ok: webhook } : { problem: { code: 'not_found' } });

interface Known {
  readonly bot_id: string;
  readonly credential_id: string;
  readonly revoked: boolean;
}

/** Under the lock of the channel, which every change of its webhooks takes. */
async function findKnown(tx: Transaction, { credentialId, channelId, id }: Pick<IncomingWebhookRequest, 'credentialId' | 'channelId' | 'id'>): Promise<Outcome<Known>> {
  const problem = refuseManager(await standingUnderLock(tx, credentialId, channelId));
  if (problem) return { problem };
  const [known] = await tx.execute<Row<Known>>(sql`
    SELECT w.bot_id, w.credential_id, w.revoked_at IS NOT NULL AS revoked FROM incoming_webhooks w WHERE w.id = ${id} AND w.channel_id = ${channelId}`);
  return known ? { ok: known } : { problem: { code: 'not_found' } };
}

/** A change, and what has ended by it: the same at every repetition, so that the telling can be repeated. */
export interface Ended<T> {
  readonly value: T;
  readonly ended: RevokedAccess | null;
}

/** Gives a webhook another secret; the one before is good for nothing from now on. */
export async function rotateIncomingWebhook(tx: Transaction, request: ChangeRequest, fresh: FreshCredential): Promise<Outcome<Ended<IncomingWebhook>>> {
  const known = await findKnown(tx, request);
  if ('problem' in known) return known;
  if (known.ok.revoked || (await find(tx, request.channelId, request.id)) === null) return { problem: { code: 'not_found' } };
  const ended = await revokeById(tx, known.ok.credential_id, request);
  await insertCredential(tx, credentialOf(fresh, known.ok.bot_id));
  await recordWebhook(tx, request, 'webhook.secret_rotated');
  await tx.execute(sql`UPDATE incoming_webhooks SET credential_id = ${fresh.id}, rotated_at = ${request.now.toISOString()}::timestamptz WHERE id = ${request.id}`);
  const webhook = found(await find(tx, request.channelId, request.id));
  return 'problem' in webhook ? webhook : { ok: { value: webhook.ok, ended } };
}

/** Ends a webhook: its address, its bot's membership, and its bot. What it posted stays. Repeating it changes nothing. The bot's id. */
export async function revokeIncomingWebhook(tx: Transaction, request: ChangeRequest): Promise<Outcome<Ended<string>>> {
  const known = await findKnown(tx, request);
  if ('problem' in known) return known;
  const { bot_id: userId, credential_id, revoked } = known.ok;
  const ended = await revokeById(tx, credential_id, request);
  if (!revoked) {
    await tx.execute(sql`UPDATE incoming_webhooks SET revoked_at = ${request.now.toISOString()}::timestamptz WHERE id = ${request.id}`);
    await retire(tx, { ...request, userId });
    await recordWebhook(tx, request, 'webhook.deleted');
  }
  return { ok: { value: userId, ended } };
}

async function retire(tx: Transaction, request: MemberRequest): Promise<void> {
  if (await isMember(tx, request)) await deleteMember(tx, request);
  const bot = await lockedUser(tx, request.userId);
  if (bot?.deactivated_at === null) await setDeactivated(tx, { ...request, eventId: uuidv7() }, bot, request.now);
}
