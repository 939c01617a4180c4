import type { Context } from 'hono';
import { findNames } from '../../db/queries/names.ts';
import { textSchema } from '../../protocol/primitives.ts';
import { MAX_TEXT } from '../../protocol/limits.ts';
import type { AppEnv } from '../env.ts';
import { withPostgres } from '../postgres.ts';
import { fromMrkdwn, type Names, referencesIn } from './mrkdwn.ts';

const NOBODY: Names = { users: new Map(), channels: new Map() };

/** A text in mrkdwn as Colink's; Postgres is asked only where it names somebody. */
export async function translateIn(c: Context<AppEnv>, mrkdwn: string): Promise<string> {
  const references = referencesIn(mrkdwn);
  const isNaming = references.users.length + references.channels.length > 0;
  const names = isNaming ? await withPostgres(c, (db) => findNames(db, c.get('identity').actor.credential_id, references)) : NOBODY;
  return fromMrkdwn(mrkdwn, names);
}

/** Why a text cannot be a message's, or null. */
export function faultOfText(text: string): 'no_text' | 'msg_too_long' | 'invalid_arguments' | null {
  if (text.trim() === '') return 'no_text';
  if (text.length > MAX_TEXT) return 'msg_too_long';
  return textSchema.safeParse(text).success ? null : 'invalid_arguments';
}
