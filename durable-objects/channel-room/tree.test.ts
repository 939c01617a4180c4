import { beforeEach, expect, it } from 'vitest';
import { nodeSqlite } from '../../tests/support/node-sqlite.ts';
import { NOW } from '../../tests/support/room-core.ts';
import type { Batch, Telling } from '../fanout-node/node-api.ts';
import type { Whose } from '../sockets/whose.ts';
import { NodeTable } from './node-table.ts';
import { Tree } from './tree.ts';

/** How many sockets each node has; one that is missing here cannot be reached. */
let sockets: Map<number, number>;
let batches: [number, Batch][];
let closings: [number, Whose][];
let told: [number, Telling][];
let attempts: number;
let now: number;
let alarm: number | null;
let timers: (() => void)[];
let seq: number;
let table: NodeTable;
let tree: Tree;

function reached(node: number): number {
  attempts += 1;
  const count = sockets.get(node);
  if (count === undefined) throw new Error('away');
  return count;
}

const treeOf = (): Tree =>
  new Tree(
    table,
    {
      get state() {
        return { epoch: 1, seq, firstSeq: 1 };
      },
      retains: () => true,
      since: (after, most) => Array.from({ length: Math.min(most, seq - after) }, (_, index) => ({ seq: after + 1 + index, json: '{}', bytes: 2 })),
    },
    {
      clock: () => now,
      random: () => 0.5,
      schedule: (_, task) => void timers.push(task),
      node: (node) => ({
        publish: async (batch) => {
          batches.push([node, batch]);
          return { sockets: reached(node), pause: 0 };
        },
        tell: async (telling) => void told.push([node, telling]),
        closeWhere: async (whose) => {
          reached(node);
          closings.push([node, whose]);
        },
      }),
      setAlarm: (at) => (alarm = at),
      clearAlarm: () => (alarm = null),
      warn: () => {},
      limits: { node: 40, channel: 100 },
    },
  );

beforeEach(() => {
  [sockets, batches, closings, told, attempts, now, alarm, timers, seq] = [new Map([[1, 0], [2, 0], [3, 0]]), [], [], [], 0, NOW, null, [], 0];
  table = new NodeTable(nodeSqlite());
  tree = treeOf();
});

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
};

/** One socket more, that arrives. */
async function place(): Promise<number | null> {
  const placed = await tree.place(10);
  if ('problem' in placed) return null;
  tree.admit(placed.ok);
  sockets.set(placed.ok, (sockets.get(placed.ok) ?? 0) + 1);
  return placed.ok;
}

async function placeMany(count: number): Promise<void> {
  for (let n = 0; n < count; n++) await place();
}

it('fills one node after the other, and refuses past the limit of the channel, the room\'s own sockets included (G8)', async () => {
  await placeMany(90);
  expect([...sockets.values()]).toEqual([40, 40, 10]);
  expect(await place()).toBeNull();
  sockets.set(1, 39);
  now += 1_000;
  expect(await place()).toBe(1);
});

it('tells its nodes what is new, and writes down that all know it', async () => {
  await placeMany(41);
  seq = 600;
  tree.publish();
  expect([tree.settle(), table.all().map(({ told: known }) => known)]).toEqual([false, [null, null]]);
  await turns();
  expect(batches.filter(([node, { events }]) => node === 2 && events.length > 0).map(([, { after, events }]) => [after, events.length])).toEqual([[0, 500], [500, 100]]);
  expect([tree.settle(), alarm, table.all().map(({ told: known }) => known?.seq)]).toEqual([true, null, [600, 600]]);
});

it('leaves a node that cannot be reached to its alarm, after six attempts, and then tells it', async () => {
  await place();
  await turns();
  sockets.delete(1);
  attempts = 0;
  seq = 1;
  tree.publish();
  for (let n = 0; n < 10; n++) {
    await turns();
    for (const task of timers.splice(0)) task();
  }
  expect([attempts, tree.settle(), alarm]).toEqual([6, true, now + 30_000]);
  sockets.set(1, 1);
  tree = treeOf();
  expect(tree.resume()).toBe(true);
  await turns();
  expect([tree.settle(), alarm]).toEqual([true, null]);
});

it('closes sockets on every node, or says that it could not (G5)', async () => {
  await placeMany(41);
  attempts = 0;
  await tree.closeWhere({ user_id: 'u' }, 4003, 'removed');
  expect(attempts).toBe(2);
  sockets.delete(2);
  await expect(tree.closeWhere({ user_id: 'u' }, 4003, 'removed')).rejects.toThrow('away');
});

it('has the last node empty where it is sparse, and lets go of it after a minute', async () => {
  await placeMany(43);
  sockets.set(1, 10);
  seq = 1;
  tree.publish();
  await turns();
  now += 20_000;
  tree.settle();
  expect(told).toEqual([[2, { frame: JSON.stringify({ type: 'reconnect', within_ms: 60_000 }) }]]);
  sockets.set(2, 0);
  seq = 2;
  tree.publish();
  await turns();
  now += 61_000;
  tree.settle();
  expect([table.all().map(({ node }) => node), tree.admit(2), told.length]).toEqual([[1], false, 1]);
});

const retries = async (): Promise<void> => {
  for (await turns(); timers.length > 0; await turns()) for (const task of timers.splice(0)) task();
};

it.each([['the same instance', () => tree], ['the next one', () => (tree = treeOf())]])('a node that could not be told whose sockets to close is told nothing before it has closed all, by %s (G5)', async (_, find) => {
  await place();
  await turns();
  sockets.delete(1);
  await expect(tree.closeWhere({ user_id: 'bob' }, 4003, 'removed')).rejects.toThrow('away');
  expect([closings, alarm]).toEqual([[], now + 30_000]);
  seq = 1;
  tree.publish();
  await turns();
  await retries();
  const before = batches.length;
  const later = find();
  later.retell();
  await retries();
  expect([batches.length, closings]).toEqual([before, []]);
  sockets.set(1, 0);
  later.retell();
  await retries();
  expect([closings, batches.slice(before).map(([, { events }]) => events.length)]).toEqual([[[1, 'everybody']], [expect.any(Number)]]);
  expect(table.all()).toMatchObject([{ isTrusted: true }]);
  expect([later.settle(), alarm]).toEqual([true, null]);
});
