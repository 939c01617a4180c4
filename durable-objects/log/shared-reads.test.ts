import { expect, it } from 'vitest';
import { SharedReads } from './shared-reads.ts';

/** Reads that end when they are let. */
function held() {
  const begun: number[] = [];
  const ends: ((value: number | Promise<never>) => void)[] = [];
  const reads = new SharedReads((from: number) => {
    begun.push(from);
    return new Promise<number>((resolve) => ends.push(resolve));
  });
  const end = async (value: number | Promise<never>): Promise<void> => {
    ends.shift()?.(value);
    await new Promise(setImmediate);
  };
  return { reads, begun, end };
}

it('those who need the same read it once, and whoever comes later reads it anew', async () => {
  const { reads, begun, end } = held();
  const both = Promise.all([reads.read(1), reads.read(1)]);
  await new Promise(setImmediate);
  await end(10);
  expect([await both, begun]).toEqual([[10, 10], [1]]);
  void reads.read(1);
  await new Promise(setImmediate);
  expect(begun).toEqual([1, 1]);
});

it('eight read at a time, the others in turn; one that fails holds nobody up (G8)', async () => {
  const { reads, begun, end } = held();
  const all = Promise.allSettled(Array.from({ length: 20 }, (_, from) => reads.read(from)));
  await new Promise(setImmediate);
  expect(begun).toHaveLength(8);
  await end(Promise.reject(new Error('away')));
  expect(begun).toHaveLength(9);
  for (let n = 1; n < 20; n++) await end(n);
  expect((await all).map(({ status }) => status)).toEqual(['rejected', ...Array<string>(19).fill('fulfilled')]);
});

it('past 5,000 that wait, reads are refused (G8)', async () => {
  const { reads, begun } = held();
  for (let from = 0; from < 5_008; from++) reads.read(from).catch(() => {});
  await expect(reads.read(9_999)).rejects.toThrow('too many');
  expect(begun).toHaveLength(8);
});
