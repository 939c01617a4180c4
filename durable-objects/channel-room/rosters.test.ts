import { beforeEach, expect, it } from 'vitest';
import { nodeSqlite } from '../../tests/support/node-sqlite.ts';
import { NOW } from '../../tests/support/room-core.ts';
import { SWEEP_MS } from '../sockets/socket-limits.ts';
import { NodeTable } from './node-table.ts';
import { Rosters } from './rosters.ts';

let table: NodeTable;
let rosters: Rosters;
beforeEach(() => {
  table = new NodeTable(nodeSqlite());
  for (const node of [1, 2]) table.add(node);
  rosters = new Rosters(table);
});
const hear = (node: number, ...users: number[]): void => rosters.hear(node, Float64Array.from(users), NOW);

it('counts a user once, with sockets at the room and at two nodes', () => {
  hear(1, 7, 8);
  hear(2, 8, 9);
  expect([rosters.count([7, 7, 10], NOW), rosters.count([], NOW)]).toEqual([4, 3]);
});

it('takes what a node says as all that is there, also said twice, and keeps no ghost of what it said before', () => {
  hear(1, 7, 8);
  hear(1, 8);
  hear(1, 8);
  expect(rosters.count([], NOW)).toBe(1);
  rosters.forget(1);
  expect(rosters.count([], NOW)).toBe(0);
});

it('is what it was after an eviction of the room, but for nodes that were dropped', () => {
  hear(1, 7, 8);
  hear(2, 9);
  table.remove(2);
  expect(new Rosters(table).count([8, 3], NOW)).toBe(3);
});

it('a node that is lost counts for nobody once two sweeps have not reached it', () => {
  hear(1, 7);
  rosters.hear(2, Float64Array.of(8), NOW + SWEEP_MS);
  expect([rosters.count([], NOW + 2 * SWEEP_MS), rosters.count([], NOW + 2.5 * SWEEP_MS), rosters.count([], NOW + 4 * SWEEP_MS)]).toEqual([2, 1, 0]);
});
