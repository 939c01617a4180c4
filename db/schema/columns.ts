import { bigint, customType, timestamp } from 'drizzle-orm/pg-core';

/** Columns as tables have them, by what they hold. */
export const counter = () => bigint({ mode: 'number' });
export const moment = () => timestamp({ withTimezone: true, mode: 'date' });
export const bytea = customType<{ data: Uint8Array }>({ dataType: () => 'bytea' });
