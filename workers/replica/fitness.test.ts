import { describe, expect, it } from 'vitest';
import { fitnessOf, lagOf } from './fitness.ts';
import { decodeToken, encodeToken } from './token.ts';

describe('a replica', () => {
  it.each([
    ['has all there is, however long ago that was', { position: 100n, lastCommitAge: 3_600_000 }, 100n, null, 'fit'],
    ['is a moment behind', { position: 99n, lastCommitAge: 5_000 }, 100n, null, 'fit'],
    ['is too far behind', { position: 99n, lastCommitAge: 5_001 }, 100n, null, 'lagging'],
    ['has replayed no transaction yet', { position: 99n, lastCommitAge: null }, 100n, null, 'lagging'],
    ['has a clock that is behind', { position: 99n, lastCommitAge: -500 }, 100n, null, 'fit'],
    ['has just what was written', { position: 90n, lastCommitAge: 0 }, 100n, 90n, 'fit'],
    ['lacks the last byte of it', { position: 89n, lastCommitAge: 0 }, 100n, 90n, 'behind'],
    ['lacks it, and is old besides', { position: 89n, lastCommitAge: 1e9 }, 100n, 90n, 'behind'],
    ['is a server of its own by now', null, 100n, null, 'no_replica'],
  ] as const)('that %s', (_, replay, primary, wanted, fitness) => {
    expect(fitnessOf(replay, primary, wanted)).toBe(fitness);
  });

  it('has no lag where it has everything', () => {
    expect(lagOf({ position: 5n, lastCommitAge: 9_000 }, 5n)).toBe(0);
    expect(lagOf({ position: 4n, lastCommitAge: 9_000 }, 5n)).toBe(9_000);
  });
});

describe('a token', () => {
  it.each([0n, 1n, 0x16b374d848n, (1n << 64n) - 1n])('of %d is read back', (position) => {
    expect(decodeToken(encodeToken(position))).toBe(position);
  });

  it('of a place nobody knows, or of another kind, is beyond every replica', () => {
    const beyond = (1n << 64n) - 1n;
    for (const token of [encodeToken(null), '', '0/16B3748', '00000016B374D848', ' ', '-000000000000001', 'z'.repeat(16), '0'.repeat(17)]) expect(decodeToken(token)).toBe(beyond);
  });

  it('that is not there asks for nothing', () => {
    expect(decodeToken(null)).toBeNull();
  });
});
