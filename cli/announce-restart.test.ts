import { expect, it } from 'vitest';
import { announceAll, withinSchema } from './announce-restart.ts';

it('reads times in seconds and minutes, from 1 s to 2 min', () => {
  expect(['60s', 90, '1m', '2m', '120'].map((text) => withinSchema.parse(text))).toEqual([60, 90, 60, 120, 120]);
  for (const text of ['0', '3m', '121s', '1h', '-1', '1.5s', '']) expect(withinSchema.safeParse(text).success).toBe(false);
});

const page = (sockets: number, next_cursor: string | null) => ({ objects: 2, sockets, unreached: 0, next_cursor });

it('goes through all pages, says how far it is, and sums', async () => {
  const asked: (string | null)[] = [];
  const said: string[] = [];
  const pages = [page(3, 'a'), page(0, 'b'), page(4, null)];
  const told = await announceAll(async (cursor) => pages[asked.push(cursor) - 1] ?? page(0, null), null, (line) => said.push(line));
  expect(asked).toEqual([null, 'a', 'b']);
  expect(told).toEqual({ objects: 6, sockets: 7, unreached: 0 });
  expect(said).toEqual(['3 sockets of 2 channels and inboxes so far', '3 sockets of 4 channels and inboxes so far']);
});

it('that is cut off says where to go on, and goes on there', async () => {
  const failing = async (cursor: string | null) => (cursor === null ? page(3, 'a') : Promise.reject(new Error('away')));
  await expect(announceAll(failing, null, () => {})).rejects.toThrow('away; go on with --cursor a');
  const asked: (string | null)[] = [];
  await announceAll(async (cursor) => (asked.push(cursor), page(1, null)), 'a', () => {});
  expect(asked).toEqual(['a']);
});
