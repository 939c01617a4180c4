/** How long the second cache level (Redis) keeps a value, in seconds. */
export const CACHE_SECONDS = 300;

/** Under what it keeps the profile of a user: the Worker offers it, Worker and fleet forget it. */
export const profileKey = (userId: string): string => `user:${userId}`;

/**
 * What stands in place of a value that was forgotten, for so many seconds: a value is only ever put where nothing is. So a reader that has read the record
 * before the change, and comes with it after, finds the place taken. It has to come within `OFFER_MS` of the start of its reading.
 */
export const FORGOTTEN = 'forgotten';
export const FORGOTTEN_SECONDS = 15;
export const OFFER_MS = 10_000;
