import { integer, pgTable, text, uuid } from 'drizzle-orm/pg-core';
import type { PresenceChoice } from '../../protocol/presence.ts';
import type { Theme, TimeFormat } from '../../protocol/settings.ts';
import { bytea, moment } from './columns.ts';

/** What there is of users beside `users`, as queries see it; and how people come in. As `tables.ts`. */
export const peopleTables = {
  userPresence: pgTable('user_presence', {
    user_id: uuid().primaryKey(),
    choice: text().$type<PresenceChoice>().notNull(),
    status_text: text(),
    status_emoji: text(),
    status_expires_at: moment(),
    version: integer().notNull().default(1),
  }),
  formerHandles: pgTable('former_handles', {
    handle: text().primaryKey(),
    user_id: uuid().notNull(),
    given_up_at: moment().notNull(),
  }),
  userSettings: pgTable('user_settings', {
    user_id: uuid().primaryKey(),
    theme: text().$type<Theme>().notNull(),
    time_format: text().$type<TimeFormat>().notNull(),
    version: integer().notNull().default(1),
  }),
  invitations: pgTable('invitations', {
    id: uuid().primaryKey(),
    secret_hash: bytea().notNull(),
    created_by: uuid().notNull(),
    role: text().$type<'member' | 'guest'>().notNull(),
    max_uses: integer().notNull(),
    uses: integer().notNull().default(0),
    created_at: moment().notNull(),
    expires_at: moment().notNull(),
    revoked_at: moment(),
  }),
  invitationChannels: pgTable('invitation_channels', {
    invitation_id: uuid().notNull(),
    channel_id: uuid().notNull(),
  }),
  invitationUses: pgTable('invitation_uses', {
    invitation_id: uuid().notNull(),
    user_id: uuid().notNull(),
    used_at: moment().notNull(),
  }),
};
