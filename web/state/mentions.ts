export interface Mention {
  /** `[start, end)` in UTF-16 code units, the `@` included. */
  readonly start: number;
  readonly end: number;
  /** In lower case, as handles are. */
  readonly handle: string;
}

/** As `mentioned_handles` in `db/schema.sql` finds them: what is marked is what notifies. */
const MENTION = /(?<![A-Za-z0-9@._-])@([A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?)(?![A-Za-z0-9])/g;

/** The places of a text that would name someone if there is one of that handle. */
export function findMentions(text: string): Mention[] {
  return [...text.matchAll(MENTION)].map(({ 0: found, 1: handle = '', index }) => ({ start: index, end: index + found.length, handle: handle.toLowerCase() }));
}

export const mentions = (text: string, handle: string): boolean => findMentions(text).some((mention) => mention.handle === handle);
