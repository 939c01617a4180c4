import { beforeEach, describe, expect, it } from 'vitest';
import { type ServerFrame, serverFrameSchema } from '../../protocol/frames.ts';
import { SOCKET_WINDOW_BYTES, SOCKET_WINDOW_EVENTS } from '../../protocol/limits.ts';
import { nodeSqlite } from '../../tests/support/node-sqlite.ts';
import { ALICE, appendMessages, conversation, NOW, reopen } from '../../tests/support/room-core.ts';
import type { SqlDriver } from '../log/sql-driver.ts';
import { Archive, type ArchivedEvent } from '../log/archive.ts';
import type { Conversation } from '../channel-room/conversation.ts';
import { cursorAt } from './cursor.ts';
import { Fanout } from './fanout.ts';
import { freshRecord, type RoomSocket, type SocketRecord } from './socket-record.ts';

class FakeSocket implements RoomSocket {
  readonly frames: ServerFrame[] = [];
  closed: number | null = null;
  saved: SocketRecord | null = null;
  saves = 0;
  broken = false;

  send(frame: string): void {
    if (this.broken) throw new Error('closing');
    this.frames.push(serverFrameSchema.parse(JSON.parse(frame)));
  }

  close(code: number): void {
    this.closed = code;
  }

  save(record: SocketRecord): void {
    this.saved = structuredClone(record);
    this.saves += 1;
  }

  get seqs(): number[] {
    return this.frames.flatMap((frame) => (frame.type === 'events' ? frame.events.map(({ seq }) => seq) : []));
  }

  get last(): number {
    return this.seqs.at(-1) ?? 0;
  }
}

let sql: SqlDriver;
let room: Conversation;
let archived: ArchivedEvent[];
let now: number;
let pauses: { readonly ms: number; readonly task: () => void }[];
let fanout: Fanout<FakeSocket>;
let caughtUp: FakeSocket[];

beforeEach(() => {
  sql = nodeSqlite();
  room = conversation({ sql });
  [archived, now, pauses, caughtUp] = [[], NOW, [], []];
  fanout = fanoutOf(room);
});

function fanoutOf(of: Conversation): Fanout<FakeSocket> {
  const archive = new Archive({
    eventsBetween: async (after, before, limit) => archived.filter(({ seq }) => seq > after && seq < before).slice(0, limit),
    poisonBetween: async () => [],
    failed: () => {},
  });
  return new Fanout(of.log, archive, { clock: () => now, schedule: (ms, task) => void pauses.push({ ms, task }), unsettled: () => {}, closed: () => {}, caughtUp: (socket) => void caughtUp.push(socket) });
}

/** Ends the pauses between passes. */
function elapse(): void {
  for (const { task } of pauses.splice(0)) task();
}

/** And what was gathered has left. */
function append(count: number, text = 'x'): void {
  fanout.publish(appendMessages(room, count, text));
  elapse();
}

const recordAt = (seq: number): SocketRecord => freshRecord({ session: 's', actor: ALICE, epoch: 1 }, seq);

function join(seq = room.log.state.seq): FakeSocket {
  const socket = new FakeSocket();
  fanout.join(socket, recordAt(seq));
  return socket;
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);

describe('live', () => {
  it('reaches every socket at the head, one frame a commit', () => {
    const sockets = [join(), join()];
    append(3);
    append(1);
    for (const socket of sockets) expect(socket.frames.map((frame) => frame.type === 'events' && [frame.from, frame.to])).toEqual([[1, 3], [4, 4]]);
  });

  it('cuts a large commit into frames of at most 500 events and 256 KiB', () => {
    const socket = join();
    append(600);
    expect(socket.frames.map((frame) => frame.type === 'events' && frame.to)).toEqual([500, 600]);
    expect(fanout.acknowledge(socket, 600)).toBe('advanced');
    append(40, 'x'.repeat(9_900));
    expect(socket.frames.length).toBe(4);
    expect(socket.seqs).toEqual(range(1, 640));
  });

  it('does not reach a socket that left, and lets go of one that throws', () => {
    const [left, broken] = [join(), join()];
    fanout.leave(left);
    broken.broken = true;
    append(1);
    expect([left.seqs, fanout.size]).toEqual([[], 0]);
  });

  it('ends with the credential: an expired one gets no further event (G5)', () => {
    const socket = join();
    now = ALICE.expires_at;
    append(1);
    expect([socket.seqs, socket.closed]).toEqual([[], 4001]);
  });
});

describe('coalescing', () => {
  const frames = (socket: FakeSocket): unknown[] => socket.frames.map((frame) => frame.type === 'events' && [frame.from, frame.to]);
  const publish = (count: number, text = 'x'): void => fanout.publish(appendMessages(room, count, text));

  /** A room so busy that passes pause. */
  function crowd(): FakeSocket[] {
    const sockets = Array.from({ length: 400 }, () => join());
    for (let n = 0; n < 10; n++) append(1);
    for (const socket of sockets) {
      fanout.acknowledge(socket, socket.last);
      socket.frames.length = 0;
    }
    return sockets;
  }

  it('does not hold an event back in a quiet room', () => {
    const socket = join();
    for (let n = 0; n < 5; n++) publish(1);
    expect([frames(socket).length, pauses]).toEqual([5, []]);
  });

  it('gathers what comes during a pause into one frame, encoded once for all', () => {
    const [one, other] = crowd();
    for (let n = 0; n < 5; n++) publish(1);
    expect(frames(one ?? join())).toEqual([[11, 11]]);
    expect(pauses.map(({ ms }) => ms)).toEqual([2]);
    elapse();
    expect(frames(one ?? join())).toEqual([[11, 11], [12, 15]]);
    expect(other?.frames.at(-1)).toEqual(one?.frames.at(-1));
  });

  it('waits for no pause with 500 events, or 512 KiB (G8)', () => {
    const [one] = crowd();
    publish(1);
    publish(499);
    expect(one?.last).toBe(11);
    publish(1);
    expect(one?.last).toBe(511);
    if (one !== undefined) fanout.acknowledge(one, 511);
    publish(51, 'x'.repeat(9_900));
    expect(one?.last).toBe(511);
    publish(1, 'x'.repeat(9_900));
    expect(one?.last).toBe(563);
    expect(pauses).toHaveLength(1);
  });

  it('sends nothing ahead of a pass to who acks or joins meanwhile, and nothing twice (G2, G3, P12)', () => {
    const [one] = crowd();
    publish(1);
    publish(3);
    if (one !== undefined) fanout.acknowledge(one, 11);
    const [fresh, behind] = [join(11), join(5)];
    expect([one?.seqs, fresh.seqs, behind.seqs]).toEqual([[11], [], range(6, 11)]);
    elapse();
    publish(1);
    elapse();
    expect([one?.seqs, fresh.seqs, behind.seqs]).toEqual([range(11, 15), range(12, 15), range(6, 15)]);
  });

  it('leaves what it had gathered to the next instance (G1, G4)', () => {
    const [one] = crowd();
    fanout.settle();
    publish(1);
    fanout.settle();
    publish(2);
    room = reopen(sql);
    fanout = fanoutOf(room);
    if (one?.saved) fanout.adopt(one, structuredClone(one.saved));
    expect(one?.seqs).toEqual(range(11, 13));
  });

  it('counts no pause where nobody listens', () => {
    for (let n = 0; n < 200; n++) publish(10);
    expect(pauses).toEqual([]);
    expect(join(0).last).toBe(1_000);
  });
});

describe('resume', () => {
  it('serves what was missed in chunks and then goes live (G4)', () => {
    append(1_200);
    const socket = join(100);
    expect(socket.frames.map((frame) => frame.type === 'events' && [frame.from, frame.to])).toEqual([[101, 600], [601, 1_100]]);
    fanout.acknowledge(socket, 600);
    append(1);
    expect(socket.seqs).toEqual(range(101, 1_201));
  });

  it('reads from Postgres what the room has no longer (G4)', async () => {
    append(22_000);
    room.log.markDrained(22_000);
    archived = range(1, 2_000).map((seq) => ({ seq, json: JSON.stringify({ seq, id: ALICE.user_id, at: '2026-01-01T00:00:00.000Z', actor_id: ALICE.user_id, type: 'member.removed', user_id: ALICE.user_id }) }));
    const socket = join(1_500);
    while (socket.last < 22_000 && socket.closed === null) {
      await Promise.resolve();
      fanout.acknowledge(socket, socket.last);
    }
    expect(socket.seqs).toEqual(range(1_501, 22_000));
  });

  it('sends live events in their place while older ones are being read', async () => {
    append(21_500);
    room.log.markDrained(21_500);
    archived = range(1_400, 1_500).map((seq) => ({ seq, json: JSON.stringify({ seq, id: ALICE.user_id, at: '2026-01-01T00:00:00.000Z', actor_id: ALICE.user_id, type: 'member.removed', user_id: ALICE.user_id }) }));
    const socket = join(1_450);
    append(1);
    for (let turn = 0; turn < 200; turn++) {
      await Promise.resolve();
      fanout.acknowledge(socket, socket.last);
    }
    expect(socket.seqs).toEqual(range(1_451, 21_501));
  });

  it('closes a socket whose older events cannot be had whole, after none of them (P52)', async () => {
    append(22_000);
    room.log.markDrained(22_000);
    const socket = join(5);
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    expect([socket.seqs, socket.closed]).toEqual([[], 1012]);
  });
});

describe('the window (G8)', () => {
  it('stops at 1,000 events for a socket that does not ack, and for no other', () => {
    const [slow, quick] = [join(), join()];
    for (let n = 0; n < SOCKET_WINDOW_EVENTS + 200; n++) {
      append(1);
      fanout.acknowledge(quick, quick.last);
    }
    expect([slow.last, quick.last]).toEqual([SOCKET_WINDOW_EVENTS, SOCKET_WINDOW_EVENTS + 200]);
  });

  it('stops at 1 MiB', () => {
    const slow = join();
    for (let n = 0; n < 300; n++) append(1, 'x'.repeat(9_000));
    expect(slow.last * 9_300).toBeLessThanOrEqual(SOCKET_WINDOW_BYTES + 9_300);
    expect(slow.last * 9_300).toBeGreaterThan(SOCKET_WINDOW_BYTES - 2 * 9_300);
  });

  it('goes on from its cursor when the socket acks, without a gap (G3, G4)', () => {
    const slow = join();
    for (let n = 0; n < 2_500; n++) append(1);
    while (slow.last < 2_500) fanout.acknowledge(slow, slow.last);
    append(1);
    expect(slow.seqs).toEqual(range(1, 2_501));
  });

  it('refuses an ack of what was not sent', () => {
    const socket = join();
    append(2);
    expect([fanout.acknowledge(socket, 3), fanout.acknowledge(socket, 0)]).toEqual(['unsent', 'old']);
  });
});

describe('what is told', () => {
  const typing = JSON.stringify({ type: 'typing', users: [] });
  const told = (socket: FakeSocket): number => socket.frames.filter(({ type }) => type === 'typing').length;

  it('reaches who keeps up; who is behind is dropped first, and told anew when it has caught up (G8)', () => {
    const [slow, quick] = [join(), join()];
    for (let n = 0; n < SOCKET_WINDOW_EVENTS + 1; n++) {
      append(1);
      fanout.acknowledge(quick, quick.last);
    }
    fanout.tell(() => typing);
    expect([told(slow), told(quick), slow.saved?.missed, caughtUp]).toEqual([0, 1, true, []]);
    fanout.acknowledge(slow, 10);
    expect([caughtUp, slow.saved?.missed, slow.last]).toEqual([[slow], false, SOCKET_WINDOW_EVENTS + 1]);
    fanout.acknowledge(slow, 20);
    expect(caughtUp).toEqual([slow]);
  });

  it('does not reach an expired credential (G5), nor whom the frame is not for', () => {
    const [some, other] = [join(), join()];
    fanout.tell(({ session }) => (session === 's' ? null : typing));
    expect([told(some), told(other)]).toEqual([0, 0]);
    now = ALICE.expires_at;
    fanout.tell(() => typing);
    expect([told(some), some.closed]).toEqual([0, 4001]);
  });
});

describe('across instances', () => {
  /** What a later instance finds: the stored log and the sockets’ records. */
  function hibernate(...sockets: FakeSocket[]): void {
    room = reopen(sql);
    fanout = fanoutOf(room);
    for (const socket of sockets) if (socket.saved !== null) fanout.adopt(socket, structuredClone(socket.saved));
  }

  it('sends nothing twice to a socket whose record is settled (G2), in pull mode too', () => {
    const [live, slow] = [join(), join()];
    for (let n = 0; n < 1_500; n++) {
      append(1);
      fanout.acknowledge(live, live.last);
    }
    fanout.settle();
    hibernate(live, slow);
    append(1);
    while (slow.last < 1_501) fanout.acknowledge(slow, slow.last);
    expect(live.seqs).toEqual(range(1, 1_501));
    expect(slow.seqs).toEqual(range(1, 1_501));
  });

  it('writes a record twice a burst, not at every frame', () => {
    const socket = join();
    for (let n = 0; n < 50; n++) append(1);
    fanout.settle();
    expect(socket.saves).toBe(3);
  });

  it('closes a socket of which it cannot know what it was sent (P12, P52)', () => {
    const [partly, ahead] = [join(), join()];
    append(1);
    append(1);
    if (ahead.saved !== null) ahead.saved = { ...ahead.saved, cursor: cursorAt(3) };
    hibernate(partly, ahead);
    expect([partly.closed, ahead.closed]).toEqual([1012, 1012]);
  });

  it('keeps an unsettled socket that was sent everything there is', () => {
    const socket = join();
    append(2);
    fanout.settle();
    fanout.acknowledge(socket, 2);
    hibernate(socket);
    append(1);
    expect([socket.closed, socket.seqs]).toEqual([null, [1, 2, 3]]);
  });

  it('closes the sockets of another epoch (P42)', () => {
    const socket = join();
    if (socket.saved !== null) socket.saved = { ...socket.saved, epoch: 7 };
    hibernate(socket);
    expect(socket.closed).toBe(4009);
  });
});
