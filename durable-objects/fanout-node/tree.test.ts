import { expect, it, vi } from 'vitest';
import { nodeSqlite } from '../../tests/support/node-sqlite.ts';
import { ALICE, CHANNEL, id, must, NOW } from '../../tests/support/room-core.ts';
import { seedsOfRun } from '../../tests/support/seed.ts';
import { TreeWorld } from '../../tests/support/tree-world.ts';
import { Alarms } from '../alarms.ts';
import { NodeTable } from '../channel-room/node-table.ts';
import { Tree } from '../channel-room/tree.ts';
import type { LogEvent } from '../log/event-log.ts';
import type { FanoutLog } from '../sockets/fanout-log.ts';
import type { RoomSocket } from '../sockets/socket-record.ts';
import type { Batch, BatchAnswer } from './node-api.ts';
import { Node } from './node.ts';
import { NODE_ALARMS, type NodeRoom } from './node-ports.ts';

const SEEDS = 150;

it('whatever is lost and whoever is evicted, every socket gets every event once and in order (G2, G3, G4)', async () => {
  for (const seed of seedsOfRun(SEEDS)) {
    const world = new TreeWorld(seed, 20);
    await world.run(60);
    expect({ seed, violations: world.violations }).toEqual({ seed, violations: [] });
  }
}, 120_000);

/** A socket that only checks that what comes follows what came. The frame is the same string for all: it is parsed once. */
class CountingSocket implements RoomSocket {
  static #parsed = { frame: '', from: 0, to: 0 };
  last = 0;
  broken = 0;

  send(frame: string): void {
    if (!frame.startsWith('{"type":"events"')) return;
    const { from, to } = CountingSocket.#parse(frame);
    if (from !== this.last + 1) this.broken += 1;
    this.last = to;
  }

  close(): void {
    this.broken += 1;
  }

  save(): void {}

  /** What the frame covers; from 0 where it has not every event of that. */
  static #parse(frame: string): { readonly from: number; readonly to: number } {
    if (frame === CountingSocket.#parsed.frame) return CountingSocket.#parsed;
    const { from, to, events }: { from: number; to: number; events: { seq: number }[] } = JSON.parse(frame);
    const whole = events.length === to - from + 1 && events.every(({ seq }, index) => seq === from + index);
    CountingSocket.#parsed = { frame, from: whole ? from : 0, to };
    return CountingSocket.#parsed;
  }
}

const MILLION = 1_000_000;
const alarms = new Alarms(nodeSqlite(), NODE_ALARMS, { setAlarm: () => {}, clearAlarm: () => {} });
/** The pauses between passes, and no tidying up. */
const quiet = { clock: () => NOW, random: () => 0.5, schedule: (ms: number, task: () => void) => void (ms <= 100 && setTimeout(task, ms)), warn: () => {} };

const eventAt = (seq: number): LogEvent => ({ seq, json: JSON.stringify({ seq }), bytes: 16 });

const logOf = (events: readonly LogEvent[]): FanoutLog => ({
  get state() {
    return { epoch: 1, seq: events.length, firstSeq: 1 };
  },
  retains: () => true,
  since: (seq, maxEvents) => events.slice(seq, seq + maxEvents),
});

const roomOf = (tree: Tree, node: number, events: readonly LogEvent[]): NodeRoom => ({
  async admit() {
    expect(tree.admit(node)).toBe(true);
    return { ok: { session: 's', epoch: 1, seq: 0, head: events.length, recovered: true } };
  },
  head: async () => ({ epoch: 1, seq: events.length }),
  eventsBetween: async () => null,
  execute: async () => ({ problem: { code: 'internal' } }),
  executeEach: async () => [],
  redeem: async () => null,
  typed: async () => {},
  look: async () => {},
  roster: async () => {},
});

it('tells a node that it opens where the log stands: it may have been a node of this room before, and stand where it stood then (G4)', async () => {
  const told: Batch[] = [];
  const publish = async (batch: Batch): Promise<BatchAnswer> => {
    told.push(batch);
    return { sockets: 0, pause: 0 };
  };
  const node = () => ({ publish, tell: async () => {}, closeWhere: async () => {} });
  const ports = { ...quiet, limits: { room: 0, node: 1, channel: 9 }, node, setAlarm: () => {}, clearAlarm: () => {} };
  const tree = new Tree(new NodeTable(nodeSqlite()), logOf([eventAt(1), eventAt(2)]), ports);
  expect(await tree.place(0)).toEqual({ ok: 1 });
  expect(told).toEqual([{ epoch: 1, after: 2, events: [], head: 2 }]);
});

it('a million sockets in one channel get every event, in order (G3)', async () => {
  const [sockets, events]: [CountingSocket[], LogEvent[]] = [[], []];
  const nodes = new Map<number, Node<CountingSocket>>();
  const tree: Tree = new Tree(new NodeTable(nodeSqlite()), logOf(events), {
    ...quiet,
    node: (number) => ({ publish: async (batch) => nodeOf(number).publish(batch), tell: async () => {}, closeWhere: async () => {} }),
    setAlarm: () => {},
    clearAlarm: () => {},
    limits: { node: 2_500, channel: MILLION },
  });
  const nodeOf = (number: number): Node<CountingSocket> => {
    const known = nodes.get(number) ?? new Node<CountingSocket>([], { ...quiet, name: String(number), room: roomOf(tree, number, events), maxSockets: 3_000, alarms, report: () => {}, lastPing: () => NOW });
    nodes.set(number, known);
    return known;
  };
  for (let n = 0; n < MILLION; n++) {
    const socket = new CountingSocket();
    must(await nodeOf(must(await tree.place(0))).join({ channel_id: CHANNEL, actor: { ...ALICE, user_id: id(5, n % 100) }, since: null }, () => socket));
    sockets.push(socket);
  }
  expect([nodes.size, await tree.place(0)]).toMatchObject([400, { problem: { code: 'unavailable', retry_after: 30 } }]);
  for (let pass = 0; pass < 3; pass++) {
    for (let n = 0; n < 10; n++) events.push(eventAt(events.length + 1));
    tree.publish();
  }
  await vi.waitFor(() => expect([tree.settle(), sockets.at(-1)?.last]).toEqual([true, events.length]), 60_000);
  expect(sockets.filter(({ last, broken }) => last !== events.length || broken > 0).length).toBe(0);
}, 180_000);
