import { sql } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import type { NamedUser, User } from '../../protocol/api.ts';
import type { Bot, BotBody } from '../../protocol/credentials.ts';
import type { Outcome, Problem } from '../../protocol/errors.ts';
import type { Queryable, Transaction } from '../client.ts';
import { users } from '../schema/tables.ts';
import { refuseNonAdmin } from './administrators.ts';
import { recordAct } from './audit.ts';
import { userColumns } from './avatar-column.ts';
import { appendDirectoryEvent } from './directory-events.ts';
import { isFormerHandle } from './handles.ts';

/** Bots are users whom no identity provider knows: its issuer is a URL. */
const BOT_ISSUER = 'urn:colink:bot';
const MAX_LISTED = 1_000;

export interface BotRequest extends BotBody {
  readonly id: string;
  readonly credentialId: string;
  readonly ownerId: string;
  readonly now: Date;
  readonly traceparent: string | null;
}

/** `conflict` where the handle is taken. The caller answers for it from then on. */
export async function createBot(tx: Transaction, { id, credentialId, ownerId, handle, display_name, now, traceparent }: BotRequest): Promise<Outcome<Bot>> {
  const problem = await refuseNonAdmin(tx, credentialId);
  if (problem) return { problem };
  const made = await insertBot(tx, { id, ownerId, handle, display_name, now, traceparent });
  if ('ok' in made) await recordAct(tx, { act: 'bot.created', target: ['user', id], details: { handle } }, { actorId: ownerId, credentialId });
  return made;
}

/** Makes a bot, whoever asks for it; the act is theirs to record. `conflict` where the handle is taken. */
export async function insertBot(tx: Transaction, { id, ownerId, handle, display_name, now, traceparent }: Omit<BotRequest, 'credentialId'>): Promise<Outcome<Bot>> {
  const user: NamedUser = { id, handle, display_name, role: 'member' };
  const inserted = await tx
    .insert(users)
    .values({ ...user, issuer: BOT_ISSUER, subject: id, bot_owner_id: ownerId, created_at: now })
    .onConflictDoNothing({ target: users.handle })
    .returning({ id: users.id });
  if (inserted.length === 0 || (await isFormerHandle(tx, handle))) return { problem: { code: 'conflict', detail: 'the handle is taken' } };
  await appendDirectoryEvent(tx, { type: 'user.created', id: uuidv7(), at: now.toISOString(), actor_id: ownerId, user, version: 1 }, traceparent);
  return { ok: { user: { ...user, avatar: null }, owner_id: ownerId, deactivated: false } };
}

/** All bots, by handle. */
export async function listBots(db: Queryable, credentialId: string): Promise<Outcome<Bot[]>> {
  const problem = await refuseNonAdmin(db, credentialId);
  if (problem) return { problem };
  const rows = await db.execute<{ [K in keyof User]: User[K] } & { bot_owner_id: string; deactivated: boolean }>(sql`
    SELECT ${userColumns(sql`u`)}, u.bot_owner_id, u.deactivated_at IS NOT NULL AS deactivated
    FROM users u WHERE u.bot_owner_id IS NOT NULL ORDER BY u.handle LIMIT ${MAX_LISTED}`);
  return { ok: rows.map(({ bot_owner_id: owner_id, deactivated, ...user }) => ({ user, owner_id, deactivated })) };
}

/** `not_found` for what is no bot. */
export async function refuseNonBot(tx: Transaction, credentialId: string, id: string): Promise<Problem | null> {
  const problem = await refuseNonAdmin(tx, credentialId);
  if (problem) return problem;
  const [bot] = await tx.execute(sql`SELECT u.id FROM users u WHERE u.id = ${id} AND u.bot_owner_id IS NOT NULL AND u.deactivated_at IS NULL`);
  return bot ? null : { code: 'not_found' };
}
