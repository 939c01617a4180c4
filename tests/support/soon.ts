import { vi } from 'vitest';

/**
 * Waits until `check` passes. What it waits for is under way already: 10 s are the patience with a busy machine, and no measure of the product
 * (the 1,000 ms of a bare `vi.waitFor` are less than a drain, an alarm or a closing socket may take there,
 * and `scripts/lint/patience.ts` forbids it).
 */
export const soon = <T>(check: () => T | Promise<T>): Promise<T> => vi.waitFor(check, 10_000);
