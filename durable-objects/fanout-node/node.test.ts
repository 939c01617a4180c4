import { beforeEach, describe, expect, it } from 'vitest';
import { type ServerFrame, serverFrameSchema } from '../../protocol/frames.ts';
import { nodeSqlite } from '../../tests/support/node-sqlite.ts';
import { ALICE, BOB, CHANNEL, id, NOW } from '../../tests/support/room-core.ts';
import { Alarms } from '../alarms.ts';
import { hash53 } from '../channel-room/hash53.ts';
import type { Admission } from '../channel-room/room-api.ts';
import type { ArchivedChunk } from '../log/archive.ts';
import type { LogEvent } from '../log/event-log.ts';
import type { Actor } from '../sockets/actor-api.ts';
import { freshRecord, type RoomSocket, type SocketRecord } from '../sockets/socket-record.ts';
import type { Batch } from './node-api.ts';
import { Node } from './node.ts';
import { NODE_ALARMS, type NodePorts } from './node-ports.ts';

class FakeSocket implements RoomSocket {
  readonly frames: ServerFrame[] = [];
  closed: number | null = null;
  send(frame: string): void {
    this.frames.push(serverFrameSchema.parse(JSON.parse(frame)));
  }
  close(code: number): void {
    this.closed = code;
  }
  save(): void {}
  get seqs(): number[] {
    return this.frames.flatMap((frame) => (frame.type === 'events' ? frame.events.map(({ seq }) => seq) : []));
  }
}

const event = (seq: number): LogEvent => {
  const json = JSON.stringify({ seq, id: id(9, seq), at: '2026-01-01T00:00:00.000Z', actor_id: ALICE.user_id, type: 'member.removed', user_id: BOB.user_id });
  return { seq, json, bytes: json.length };
};
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);
const batch = (from: number, to: number, head = to, epoch = 1): Batch => ({ epoch, after: from - 1, events: range(from, to).map(event), head });
const recordAt = (seq: number, settled = true, actor = ALICE): SocketRecord =>
  ({ ...freshRecord({ session: 's', actor, epoch: 1 }, seq), settled });
const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
};

/** The room: its log goes up to `head`, and it admits everybody once `admit` is called. */
let head: number;
let reads: number;
let admit: (() => void)[];
let away: boolean;
let rosters: number[][];
let timers: (() => void)[];

const admission = (): Admission => ({ session: id(9, 0), epoch: 1, seq: head, head, recovered: true });

async function read(_: number, after: number, before: number, maxEvents: number): Promise<ArchivedChunk | null> {
  reads += 1;
  if (away) throw new Error('away');
  const events = range(after + 1, Math.min(before - 1, after + maxEvents, head)).map(event);
  return { to: after + events.length, events };
}

function nodeOf(...found: (readonly [FakeSocket, SocketRecord])[]): Node<FakeSocket> {
  const ports: NodePorts<FakeSocket> = {
    name: `${CHANNEL}:1`,
    room: {
      admit: () => new Promise((resolve) => admit.push(() => resolve({ ok: admission() }))),
      head: async () => {
        if (away) throw new Error('away');
        return { epoch: 1, seq: head };
      },
      eventsBetween: read,
      execute: async () => ({ problem: { code: 'internal' } }),
      executeEach: async () => [],
      redeem: async () => null,
      typed: async () => {},
      look: async () => {},
      roster: async (users) => void rosters.push([...users]),
    },
    maxSockets: 200,
    alarms: new Alarms(nodeSqlite(), NODE_ALARMS, { setAlarm: () => {}, clearAlarm: () => {} }),
    clock: () => NOW,
    schedule: (_, task) => void timers.push(task),
    report: () => {},
    lastPing: () => NOW,
    warn: () => {},
  };
  return new Node(found, ports);
}

beforeEach(() => {
  [head, reads, admit, away, rosters, timers] = [10, 0, [], false, [], []];
});

async function join(node: Node<FakeSocket>, by: Actor = ALICE): Promise<FakeSocket> {
  const socket = new FakeSocket();
  const joined = node.join({ channel_id: CHANNEL, actor: by, since: null }, () => socket);
  for (const answer of admit.splice(0)) answer();
  expect(await joined).toEqual({ ok: socket });
  return socket;
}

describe('a node', () => {
  it('publishes what follows, once, however often it is told (G2, G3)', async () => {
    const node = nodeOf();
    const socket = await join(node);
    node.publish(batch(9, 12));
    node.publish(batch(11, 12));
    expect(node.publish(batch(12, 15)).sockets).toBe(1);
    expect(socket.seqs).toEqual(range(11, 15));
  });

  it('reads what it was not told from the room, once for all its sockets (G4)', async () => {
    const node = nodeOf();
    const sockets = [await join(node), await join(node), await join(node)];
    head = 30;
    node.publish(batch(26, 30));
    await turns();
    for (const socket of sockets) expect(socket.seqs).toEqual(range(11, 30));
    expect(reads).toBe(1);
  });

  it('serves a socket that began ahead of it, within a batch or between two', async () => {
    const node = nodeOf();
    const early = await join(node);
    head = 12;
    const late = await join(node);
    node.publish(batch(11, 14));
    expect([early.seqs, late.seqs]).toEqual([range(11, 14), range(13, 14)]);
  });

  it('closes its sockets in a new epoch, and pays no heed to an old one', async () => {
    const node = nodeOf();
    const socket = await join(node);
    node.publish(batch(3, 3, 3, 2));
    expect(socket.closed).toBe(4009);
    node.publish(batch(11, 12));
    expect(node.publish(batch(4, 4, 4, 2)).sockets).toBe(0);
  });
});

describe('the next instance of a node', () => {
  it('goes on with those of which it is known what they were sent, and closes the others to resume (G2, G4)', () => {
    const [settled, behind, lost, whole] = [new FakeSocket(), new FakeSocket(), new FakeSocket(), new FakeSocket()];
    const node = nodeOf([settled, recordAt(10)], [behind, recordAt(4)], [lost, recordAt(10, false)], [whole, recordAt(12, false)]);
    head = 12;
    node.publish({ ...batch(11, 12), head: 12 });
    expect([settled.seqs, settled.closed, lost.closed]).toEqual([range(11, 12), null, 1012]);
    expect([behind.closed, whole.closed]).toEqual([null, 1012]);
  });

  it('asks where the log stands when a socket speaks first; where nobody says, its sockets go elsewhere', async () => {
    const [some, other] = [new FakeSocket(), new FakeSocket()];
    await nodeOf([some, recordAt(4)]).message(some, JSON.stringify({ type: 'ack', seq: 4 }));
    await turns();
    expect([some.seqs, some.closed]).toEqual([range(5, 10), null]);
    away = true;
    await nodeOf([other, recordAt(4)]).message(other, JSON.stringify({ type: 'ack', seq: 4 }));
    expect(other.closed).toBe(1012);
  });
});

describe('who is there', () => {
  const tidy = async (): Promise<void> => {
    for (const task of timers.splice(0)) task();
    await turns();
  };

  it('is told to the room as users, each once, whatever number of sockets they have', async () => {
    const node = nodeOf();
    for (const who of [ALICE, ALICE, BOB]) await join(node, who);
    await tidy();
    expect(rosters).toEqual([[hash53(ALICE.user_id), hash53(BOB.user_id)]]);
  });

  it('is known of the sockets of an earlier instance, when the room asks', async () => {
    const node = nodeOf([new FakeSocket(), recordAt(10, true, BOB)], [new FakeSocket(), recordAt(10)]);
    await tidy();
    expect(rosters).toEqual([]);
    node.tell({ sweep: true });
    await turns();
    await tidy();
    expect(rosters.map((users) => users.length)).toEqual([2]);
  });

  it('is nobody, where an instance has lost all: the room hears so with the next batch', async () => {
    nodeOf().publish(batch(11, 11));
    await tidy();
    expect(rosters).toEqual([[]]);
  });
});

it('lets 1,000 messages wait until it knows where the log stands; whose are more come back, and nobody else (G8)', async () => {
  const [loud, quiet] = [new FakeSocket(), new FakeSocket()];
  const node = nodeOf([loud, recordAt(10)], [quiet, recordAt(10)]);
  const handled = Promise.all(range(1, 5_000).map(() => node.message(loud, '{"type":"ack","seq":10}')));
  expect([loud.closed, node.size]).toEqual([1012, 1]);
  await handled;
  await node.message(quiet, '{"type":"ack","seq":10}');
  node.publish(batch(11, 11));
  expect([quiet.closed, quiet.seqs]).toEqual([null, [11]]);
});

it('lets no member fill it (G8, P48)', async () => {
  const node = nodeOf();
  for (let sockets = 0; sockets < 100; sockets++) await join(node);
  const another = node.join({ channel_id: CHANNEL, actor: ALICE, since: null }, () => new FakeSocket());
  for (const answer of admit.splice(0)) answer();
  expect(await another).toMatchObject({ problem: { code: 'unavailable', retry_after: 30 } });
  await join(node, BOB);
  expect(node.size).toBe(101);
});

describe('access (G5)', () => {
  it('ends for those whom it found too', () => {
    const [bob, alice] = [new FakeSocket(), new FakeSocket()];
    const node = nodeOf([bob, recordAt(10, true, BOB)], [alice, recordAt(10)]);
    node.closeWhere({ user_id: BOB.user_id }, 4003, 'removed');
    node.publish(batch(11, 11));
    expect([bob.closed, bob.seqs, alice.seqs]).toEqual([4003, [], [11]]);
  });

  it('ends for who was admitted and is still on the way', async () => {
    const node = nodeOf();
    const joined = node.join({ channel_id: CHANNEL, actor: BOB, since: null }, () => {
      throw new Error('let in');
    });
    node.closeWhere({ credential_id: BOB.credential_id }, 4001, 'revoked');
    admit[0]?.();
    expect(await joined).toMatchObject({ problem: { code: 'unavailable', retry_after: 1 } });
  });

  it('is refused past the number of sockets, those on the way included (G8)', async () => {
    const node = nodeOf();
    const joins = range(1, 202).map((n) => node.join({ channel_id: CHANNEL, actor: n % 2 ? ALICE : BOB, since: null }, () => new FakeSocket()));
    for (const answer of admit) answer();
    const refused = (await Promise.all(joins)).filter((outcome) => 'problem' in outcome);
    expect([refused.length, node.size]).toEqual([2, 200]);
  });
});
