import { sql } from 'drizzle-orm';
import type { Outcome } from '../../protocol/errors.ts';
import type { UserSettings, UserSettingsBody } from '../../protocol/settings.ts';
import type { Queryable, Transaction } from '../client.ts';
import { peopleTables } from '../schema/people-tables.ts';
import { callerRow } from './access.ts';
import { lockSettingsOf } from './notification-settings.ts';

const { userSettings } = peopleTables;

type Row = { [K in keyof UserSettings]: UserSettings[K] | null };

/** The caller's own; where they never made any, the defaults. */
export async function findUserSettings(db: Queryable, credentialId: string): Promise<Outcome<UserSettings>> {
  const [row] = await db.execute<Row>(sql`
    SELECT s.theme, s.time_format, s.version FROM (${callerRow(credentialId)}) me LEFT JOIN user_settings s ON s.user_id = me.id`);
  if (row === undefined) return { problem: { code: 'unauthenticated' } };
  return { ok: { theme: row.theme ?? 'system', time_format: row.time_format ?? 'auto', version: row.version ?? 0 } };
}

/** Changes what the body names. `precondition_failed`: the settings have another version. */
export async function changeUserSettings(
  tx: Transaction,
  { credentialId, userId, expected }: { readonly credentialId: string; readonly userId: string; readonly expected: number },
  { theme, time_format }: UserSettingsBody,
): Promise<Outcome<UserSettings>> {
  await lockSettingsOf(tx, userId);
  const found = await findUserSettings(tx, credentialId);
  if ('problem' in found) return found;
  if (found.ok.version !== expected) return { problem: { code: 'precondition_failed' } };
  const changed = { theme: theme ?? found.ok.theme, time_format: time_format ?? found.ok.time_format, version: expected + 1 };
  await tx.insert(userSettings).values({ user_id: userId, ...changed }).onConflictDoUpdate({ target: userSettings.user_id, set: changed });
  return { ok: changed };
}
