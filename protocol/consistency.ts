/** Of the answer to a change of the directory: how far the record had come then. A read that sends it back shows that change. */
export const CONSISTENCY_HEADER = 'Colink-Consistency';

/** What shows both changes. Tokens are opaque but for this: of two, the later in the order of text is the later in the record. */
export const laterToken = (one: string, other: string): string => (one > other ? one : other);
