import { inject } from 'vitest';

declare module 'vitest' {
  interface ProvidedContext {
    /** From which everything random in the tests of this run follows. */
    seed: number;
  }
}

/** That of CI, which says the same twice of the same commit (docs/decisions/0055). */
const OF_CI = 1;

/** Chosen once a run, where there is an environment: `vitest.config.ts`. Tests inside workerd have none, and get it as all others do. */
export function chooseSeed({ COLINK_SEED, CI }: Readonly<Record<string, string | undefined>>): number {
  if (COLINK_SEED === undefined) return CI === 'true' ? OF_CI : Math.floor(Math.random() * 2 ** 31);
  if (!/^\d{1,10}$/.test(COLINK_SEED)) throw new Error(`COLINK_SEED is the number of a run, as in COLINK_SEED=42, and not «${COLINK_SEED}»`);
  return Number(COLINK_SEED);
}

/** Belongs in the name of what it decides: who sees that fail runs it again with `COLINK_SEED`. */
export const seedOfRun = (): number => inject('seed');

/** For tests that try many: the first is the seed of the run. */
export const seedsOfRun = (count: number): number[] => Array.from({ length: count }, (_, n) => seedOfRun() + n);
