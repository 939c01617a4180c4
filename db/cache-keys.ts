/** How long the second cache level (Redis) keeps a value, in seconds. */
export const CACHE_SECONDS = 300;

/** Under what it keeps the profile of a user: the Worker writes it, and the fleet deletes it. */
export const profileKey = (userId: string): string => `user:${userId}`;
