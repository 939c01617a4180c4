import { type SQL, sql } from 'drizzle-orm';

/** In front of the text, where Postgres' own views show it, too. Parameters are not in the text, so nobody outside can write it. */
const MARK = '/* planned once */';

/**
 * A statement that is asked often and planned the same for everybody: connections that keep statements name it, so that the pool keeps it and Postgres plans it once. Not for what
 * has to be planned by what is asked, as a search is by how many messages have a word (decision 0058).
 */
export const plannedOnce = (query: SQL): SQL => sql`${sql.raw(MARK)} ${query}`;

export const isPlannedOnce = (text: string): boolean => text.startsWith(MARK);
