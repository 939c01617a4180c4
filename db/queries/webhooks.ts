import { sql, type SQL } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import type { Outcome } from '../../protocol/errors.ts';
import { MAX_WEBHOOKS, type NewWebhook, ROTATION_HOURS, type Webhook, type WebhookPatch } from '../../protocol/webhooks.ts';
import { toHex } from '../bytes.ts';
import type { Queryable, Transaction } from '../client.ts';
import { webhooks } from '../schema/webhook-tables.ts';
import { callerRow, refuseReader, type Standing, standingColumns, standingTables } from './access.ts';
import { type Act, recordAct } from './audit.ts';
import { wireTime } from './time.ts';

const webhookColumns: SQL = sql`w.id, w.channel_id, w.url, array_to_json(w.event_types) AS event_types, w.description, w.state, w.disabled_reason,
  ${wireTime(sql`w.disabled_at`)} AS disabled_at, ${wireTime(sql`w.failing_since`)} AS failing_since,
  ${wireTime(sql`CASE WHEN w.previous_secret_until > now() THEN w.previous_secret_until END`)} AS previous_secret_until,
  ${wireTime(sql`w.created_at`)} AS created_at, w.version`;

type Row<T> = { [column: string]: unknown } & T;

function toWebhook(row: Row<Webhook>): Webhook {
  const { id, channel_id, url, event_types, description, state, disabled_reason, disabled_at, failing_since, previous_secret_until, created_at, version } = row;
  return { id, channel_id, url, event_types, description, state, disabled_reason, disabled_at, failing_since, previous_secret_until, created_at, version };
}

/** Someone's webhooks are nobody else's to know of. */
const mine = (credentialId: string): SQL => sql`(${callerRow(credentialId)}) me LEFT JOIN webhooks w ON w.owner_id = me.id AND w.deleted_at IS NULL`;

/** The caller's webhooks, in the order in which they were made, after the webhook `after`. */
export async function listWebhooks(db: Queryable, credentialId: string, page: { after: string | null; limit: number }): Promise<Outcome<Webhook[]>> {
  const after = page.after === null ? sql`` : sql`AND w.id > ${page.after}`;
  const rows = await db.execute<Row<Webhook>>(sql`SELECT ${webhookColumns} FROM ${mine(credentialId)} ${after} ORDER BY w.id LIMIT ${page.limit}`);
  return rows.length === 0 ? { problem: { code: 'unauthenticated' } } : { ok: rows.filter((row) => row.id !== null).map(toWebhook) };
}

export async function findWebhook(db: Queryable, credentialId: string, id: string): Promise<Outcome<Webhook>> {
  const [row] = await db.execute<Row<Webhook>>(sql`SELECT ${webhookColumns} FROM ${mine(credentialId)} AND w.id = ${id}`);
  if (row === undefined) return { problem: { code: 'unauthenticated' } };
  return row.id === null ? { problem: { code: 'not_found' } } : { ok: toWebhook(row) };
}

export interface WebhookCaller {
  readonly credential_id: string;
  readonly user_id: string;
}

const hostOf = (url: string): string => new URL(url).host;

/** `conflict` for one more than a user may have; a private channel the caller may not know of is `not_found`. */
export async function createWebhook(tx: Transaction, { credential_id, user_id }: WebhookCaller, webhook: NewWebhook, secret: Uint8Array, now: Date): Promise<Outcome<Webhook>> {
  // The lock of a deactivation, too: either that finds this webhook, or this finds nobody.
  await tx.execute(sql`SELECT FROM users u WHERE u.id = ${user_id} FOR NO KEY UPDATE`);
  const [me] = await tx.execute<{ role: string }>(callerRow(credential_id));
  if (!me) return { problem: { code: 'unauthenticated' } };
  if (me.role === 'guest') return { problem: { code: 'forbidden', detail: 'guests make no webhooks' } };
  const problem = webhook.channel_id === null ? null : refuseReader(await standingOf(tx, credential_id, webhook.channel_id));
  if (problem) return { problem };
  const [count] = await tx.execute<{ n: number }>(sql`SELECT count(*)::integer AS n FROM webhooks w WHERE w.owner_id = ${user_id} AND w.deleted_at IS NULL`);
  if ((count?.n ?? 0) >= MAX_WEBHOOKS) return { problem: { code: 'conflict', detail: `a user has ${MAX_WEBHOOKS} webhooks at most` } };
  const id = uuidv7();
  await tx.insert(webhooks).values({ id, owner_id: user_id, ...webhook, host: hostOf(webhook.url), secret, created_at: now });
  await recordWebhook(tx, id, 'webhook.created', { host: hostOf(webhook.url), channel_id: webhook.channel_id, event_types: webhook.event_types });
  return findWebhook(tx, credential_id, id);
}

async function standingOf(tx: Transaction, credentialId: string, channelId: string): Promise<Standing | undefined> {
  const [standing] = await tx.execute<Row<Standing>>(sql`SELECT ${standingColumns} FROM ${standingTables(credentialId, channelId)}`);
  return standing;
}

/** Takes hold of one of the caller's webhooks for the rest of the transaction. */
export async function lockWebhook(tx: Transaction, credentialId: string, id: string): Promise<Outcome<Webhook>> {
  await tx.execute(sql`SELECT FROM webhooks w WHERE w.id = ${id} AND w.owner_id = (SELECT me.id FROM (${callerRow(credentialId)}) me) FOR NO KEY UPDATE`);
  return findWebhook(tx, credentialId, id);
}

export interface WebhookRequest {
  readonly credentialId: string;
  readonly id: string;
  readonly now: Date;
}

/** `expected`: the version that is to be changed. Enabling forgets past failures; disabling cancels what waits. */
export async function updateWebhook(tx: Transaction, { credentialId, id, now }: WebhookRequest, patch: WebhookPatch, expected: number): Promise<Outcome<Webhook>> {
  const found = await lockWebhook(tx, credentialId, id);
  if ('problem' in found) return found;
  if (found.ok.version !== expected) return { problem: { code: 'precondition_failed' } };
  const { url = found.ok.url, event_types = found.ok.event_types, description = found.ok.description, state = found.ok.state } = patch;
  const isNewPlace = url !== found.ok.url || (state === 'enabled' && found.ok.state === 'disabled');
  await tx.execute(sql`
    UPDATE webhooks SET url = ${url}, host = ${hostOf(url)}, description = ${description}, version = version + 1, state = ${state},
      event_types = ARRAY(SELECT t.name FROM json_array_elements_text(${JSON.stringify(event_types)}::text::json) AS t (name)),
      disabled_reason = CASE WHEN ${state}::text = 'disabled' THEN coalesce(disabled_reason, 'owner') END,
      disabled_at = CASE WHEN ${state}::text = 'disabled' THEN coalesce(disabled_at, ${now.toISOString()}::timestamptz) END,
      failing_since = CASE WHEN ${isNewPlace} THEN NULL ELSE failing_since END, failures = CASE WHEN ${isNewPlace} THEN 0 ELSE failures END,
      blocked_until = CASE WHEN ${isNewPlace} THEN NULL ELSE blocked_until END
    WHERE id = ${id}`);
  if (state === 'disabled') await cancelWaiting(tx, id, now);
  await recordWebhook(tx, id, 'webhook.updated', { host: hostOf(url), event_types, state });
  return findWebhook(tx, credentialId, id);
}

async function cancelWaiting(tx: Transaction, id: string, now: Date): Promise<void> {
  await tx.execute(sql`
    UPDATE webhook_deliveries SET status = 'cancelled', failure = 'disabled', settled_at = ${now.toISOString()}::timestamptz
    WHERE webhook_id = ${id} AND status = 'pending'`);
}

/** From now on deliveries are signed with `secret`, and for a day with the one before it as well. */
export async function rotateSecret(tx: Transaction, { credentialId, id, now }: WebhookRequest, secret: Uint8Array): Promise<Outcome<Webhook>> {
  const found = await lockWebhook(tx, credentialId, id);
  if ('problem' in found) return found;
  await tx.execute(sql`
    UPDATE webhooks SET previous_secret = secret, previous_secret_until = ${now.toISOString()}::timestamptz + make_interval(hours => ${ROTATION_HOURS}),
      secret = decode(${toHex(secret)}, 'hex'), version = version + 1
    WHERE id = ${id}`);
  await recordWebhook(tx, id, 'webhook.secret_rotated');
  return findWebhook(tx, credentialId, id);
}

/** Of the URL its host alone: the rest may hold a secret of the receiver's. */
const recordWebhook = (tx: Transaction, id: string, act: Act['act'], details: Act['details'] = {}): Promise<void> =>
  recordAct(tx, { act, target: ['webhook', id], details });

/** It is gone for everybody; the fleet deletes its deliveries, which may be many, and then it. */
export async function deleteWebhook(tx: Transaction, { credentialId, id, now }: WebhookRequest): Promise<Outcome<null>> {
  const found = await lockWebhook(tx, credentialId, id);
  if ('problem' in found) return found;
  const at = now.toISOString();
  await tx.execute(sql`
    UPDATE webhooks SET state = 'disabled', disabled_reason = 'deleted', disabled_at = ${at}::timestamptz, deleted_at = ${at}::timestamptz WHERE id = ${id}`);
  await cancelWaiting(tx, id, now);
  await recordWebhook(tx, id, 'webhook.deleted');
  return { ok: null };
}

/** Whoever is deactivated sends nothing more; their webhooks stay disabled when they come back, as their credentials stay revoked. */
export async function disableWebhooksOf(tx: Transaction, userId: string, now: Date): Promise<void> {
  const at = now.toISOString();
  await tx.execute(sql`
    WITH off AS (
      UPDATE webhooks SET state = 'disabled', disabled_reason = 'owner_deactivated', disabled_at = ${at}::timestamptz, version = version + 1
      WHERE owner_id = ${userId} AND state = 'enabled' RETURNING id
    )
    UPDATE webhook_deliveries d SET status = 'cancelled', failure = 'disabled', settled_at = ${at}::timestamptz FROM off WHERE d.webhook_id = off.id AND d.status = 'pending'`);
}
