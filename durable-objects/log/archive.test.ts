import { describe, expect, it } from 'vitest';
import { Archive, type ArchivedEvent } from './archive.ts';

interface Stored {
  readonly seqs: readonly number[];
  readonly poison?: readonly number[];
  readonly json?: string;
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);

function archiveOf({ seqs, poison = [], json = '{}' }: Stored, errors: unknown[] = []): Archive {
  const within = (list: readonly number[], after: number, before: number): number[] => list.filter((seq) => seq > after && seq < before);
  return new Archive({
    eventsBetween: async (after, before, limit): Promise<ArchivedEvent[]> => within(seqs, after, before).slice(0, limit).map((seq) => ({ seq, json })),
    poisonBetween: async (after, before) => within(poison, after, before),
    failed: (error) => void errors.push(error),
  });
}

const seqsOf = (chunk: { to: number; events: readonly { seq: number }[] } | null) => chunk && [chunk.to, chunk.events.map(({ seq }) => seq)];

describe('Archive', () => {
  it('reads up to what the room still has itself', async () => {
    expect(seqsOf(await archiveOf({ seqs: range(1, 20) }).read(5, 10, 500, 1_000))).toEqual([9, [6, 7, 8, 9]]);
  });

  it('reads pages of bounded count and size', async () => {
    const archive = archiveOf({ seqs: range(1, 1_000), json: '"123456"' });
    expect((await archive.read(0, 1_001, 500, 1_000_000))?.to).toBe(200);
    expect((await archive.read(0, 1_001, 50, 1_000_000))?.to).toBe(50);
    expect((await archive.read(0, 1_001, 50, 80))?.to).toBe(10);
    expect((await archive.read(0, 1_001, 50, 1))?.to).toBe(1);
  });

  it('covers a poisonous event without having it', async () => {
    const stored = { seqs: [1, 2, 4, 5], poison: [3] };
    expect(seqsOf(await archiveOf(stored).read(0, 6, 500, 1_000))).toEqual([5, [1, 2, 4, 5]]);
    expect(seqsOf(await archiveOf({ seqs: [1], poison: [2, 3] }).read(1, 4, 500, 1_000))).toEqual([3, []]);
  });

  it.each([
    ['the beginning', range(4, 9)],
    ['the middle', [1, 2, 3, 7, 8, 9]],
    ['the end', range(1, 6)],
    ['all', []],
  ])('is nothing where %s is no longer kept (G4)', async (_, seqs) => {
    expect(await archiveOf({ seqs }).read(0, 10, 500, 1_000)).toBeNull();
  });

  it('is nothing where Postgres is away, and says so', async () => {
    const errors: unknown[] = [];
    const archive = new Archive({
      eventsBetween: () => Promise.reject(new Error('away')),
      poisonBetween: async () => [],
      failed: (error) => void errors.push(error),
    });
    expect(await archive.read(0, 10, 500, 1_000)).toBeNull();
    expect(errors).toHaveLength(1);
    await expect(archive.readOrThrow(0, 10, 500, 1_000)).rejects.toThrow('away');
  });
});
