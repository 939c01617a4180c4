import { sql } from 'drizzle-orm';
import type postgres from 'postgres';
import type { Outcome } from '../../protocol/errors.ts';
import type { WorkspaceSettings, WorkspaceSettingsBody } from '../../protocol/workspace.ts';
import type { Queryable, Transaction } from '../client.ts';
import { refuseNonAdmin } from './administrators.ts';
import { recordAct } from './audit.ts';

type Row = WorkspaceSettings & { [column: string]: unknown };

/** Which everybody may be shown. */
export async function findWorkspaceSettings(db: Queryable): Promise<WorkspaceSettings> {
  const [row] = await db.execute<Row>(sql`SELECT w.edit_window_seconds, w.version FROM workspace_settings w`);
  return must(row);
}

/** For administrators: changes what the body names. `precondition_failed`: the settings have another version than `expected`. */
export async function changeWorkspaceSettings(tx: Transaction, credentialId: string, expected: number, body: WorkspaceSettingsBody): Promise<Outcome<WorkspaceSettings>> {
  const refused = await refuseNonAdmin(tx, credentialId);
  if (refused) return { problem: refused };
  const [row] = await tx.execute<Row>(sql`SELECT w.edit_window_seconds, w.version FROM workspace_settings w FOR UPDATE`);
  const found = must(row);
  if (found.version !== expected) return { problem: { code: 'precondition_failed' } };
  const { edit_window_seconds = found.edit_window_seconds } = body;
  const [changed] = await tx.execute<Row>(sql`
    UPDATE workspace_settings SET edit_window_seconds = ${edit_window_seconds}, version = version + 1 RETURNING edit_window_seconds, version`);
  await recordAct(tx, { act: 'settings.updated', target: ['settings', null], details: { edit_window_seconds } });
  return { ok: must(changed) };
}

/** In seconds; null: for good. */
export async function findEditWindow(tx: postgres.ISql): Promise<number | null> {
  const [row] = await tx<{ edit_window_seconds: number | null }[]>`SELECT w.edit_window_seconds FROM workspace_settings w`;
  return must(row).edit_window_seconds;
}

function must<T>(row: T | undefined): T {
  if (row === undefined) throw new Error('the workspace has no settings');
  return row;
}
