/** What went wrong, as people are told. */
export const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
