import { describe, expect, it } from 'vitest';
import type { ChannelEvent } from '../protocol/events.ts';
import { seedsOfRun } from '../tests/support/seed.ts';
import { Connection } from './connection.ts';
import { NetworkError } from './errors.ts';
import { FakeClock } from './testing/fake-clock.ts';
import { FakeConditions } from './testing/fake-conditions.ts';
import { FakeServer, type FakeSocket } from './testing/fake-socket.ts';
import { integer, pick, seededRandom } from './testing/random.ts';
import type { RoomWire } from './wires.ts';

const SEEDS = 40;
const event = (seq: number): ChannelEvent => ({ type: 'message.deleted', seq, id: `e${seq}`, at: 'now', actor_id: 'a', message_id: 'm', thread_id: null });

/** A room on a bad day. It keeps what it promises, each event in `seq` order from the cursor; what its sockets carry may be lost, doubled or late. */
class ChaoticRoom {
  readonly #random: () => number;
  readonly #server: FakeServer;
  readonly #cursors = new Map<FakeSocket, number>();
  readonly #answered = new Map<FakeSocket, number>();
  /** `client_msg_id`s that were done, in order. */
  readonly done: string[] = [];
  head = 0;

  constructor(random: () => number, server: FakeServer) {
    this.#random = random;
    this.#server = server;
  }

  get #socket(): FakeSocket | null {
    const socket = this.#server.sockets.at(-1);
    return socket && !socket.closed ? socket : null;
  }

  /** Welcomes, answers and delivers as a well-behaved room does; `isLossy`: some of it does not arrive. */
  serve(isLossy: boolean): void {
    const socket = this.#socket;
    if (!socket) return;
    if (!this.#cursors.has(socket)) this.#welcome(socket);
    this.#answer(socket, isLossy);
    const from = (this.#cursors.get(socket) ?? 0) + 1;
    const to = isLossy ? Math.min(this.head, from + integer(this.#random, 4)) : this.head;
    if (to < from || socket.closed) return;
    this.#cursors.set(socket, to);
    // A stream loses nothing in its middle: what is lost is lost with the socket, or jumped over by a server in error.
    if (isLossy && this.#random() < 0.1) return to < this.head ? this.#deliver(socket, to + 1, this.head) : socket.drop(1006);
    this.#deliver(socket, from, to);
    if (isLossy && this.#random() < 0.2) this.#deliver(socket, Math.max(1, from - integer(this.#random, 3)), to);
  }

  misbehave(): void {
    const socket = this.#socket;
    if (!socket) return;
    const within = this.#random() < 0.3 ? `; within=${integer(this.#random, 30_000)}` : '';
    switch (pick(this.#random, ['drop', 'notice', 'expiring', 'unknown', 'silence'] as const)) {
      case 'drop':
        return socket.drop(pick(this.#random, [1001, 1005, 1006, 1011, 1012, 4001, 4008, 4029]), `gone${within}`);
      case 'notice':
        return socket.deliver({ type: 'reconnect', within_ms: integer(this.#random, 20_000) });
      case 'expiring':
        return socket.deliver({ type: 'auth.expiring', expires_at: new Date(integer(this.#random, 3_000_000)).toISOString() });
      case 'unknown':
        return socket.deliverText('{"type":"of.tomorrow"}');
      case 'silence':
    }
  }

  #welcome(socket: FakeSocket): void {
    const since = Number(socket.url.searchParams.get('since') ?? 0);
    this.#cursors.set(socket, since);
    socket.welcome({ seq: since, head: this.head, recovered: true });
  }

  #answer(socket: FakeSocket, isLossy: boolean): void {
    const heard = this.#answered.get(socket) ?? 0;
    const frames = socket.frames.slice(heard);
    this.#answered.set(socket, heard + frames.length);
    for (const frame of frames) {
      if (frame.type !== 'send' || socket.closed) continue;
      if (isLossy && this.#random() < 0.1) socket.drop(1006);
      else if (!this.done.includes(frame.client_msg_id)) this.done.push(frame.client_msg_id);
      const ok = { message_id: 'm', seq: null, pos: null, thread_id: null, tpos: null, at: 'now', changed: true };
      if (isLossy && this.#random() < 0.1) socket.drop(1006);
      socket.deliver({ type: 'result', re: frame.id, ok });
    }
    if (socket.sent.at(-1) === 'ping') socket.deliver('pong');
  }

  #deliver(socket: FakeSocket, from: number, to: number): void {
    const events = Array.from({ length: to - from + 1 }, (_, index) => event(from + index));
    socket.deliver({ type: 'events', epoch: 1, from, to, events }, pick(this.#random, ['text', 'bytes'] as const));
  }
}

describe('a connection through anything', () => {
  it('G2 G3 G4: hears each event once, in order, and gets each command done, once the trouble is over', async () => {
    for (const seed of seedsOfRun(SEEDS)) {
      const random = seededRandom(seed);
      const [clock, server, conditions] = [new FakeClock(), new FakeServer(), new FakeConditions()];
      const room = new ChaoticRoom(random, server);
      const heard: number[] = [];
      const results: string[] = [];
      let isTroubled = true;
      const ticket = async () => {
        if (isTroubled && random() < 0.2) throw new NetworkError('away');
        return 't';
      };
      const connection = new Connection<RoomWire>(
        { url: new URL('ws://colink.test/'), since: { epoch: 1, seq: 0 }, openSocket: server.openSocket, ticket, clock, random, conditions, hiddenAfterMs: 60_000 },
        { stateChanged: () => {}, events: (events) => heard.push(...events.map(({ seq }) => seq)), reset: () => expect.unreachable(), state: () => {} },
      );
      connection.start();
      let said = 0;
      for (let i = 0; i < 60; i += 1) {
        const what = pick(random, ['say', 'grow', 'grow', 'serve', 'serve', 'serve', 'misbehave', 'device', 'wait'] as const);
        if (what === 'grow') room.head += 1 + integer(random, 5);
        else if (what === 'serve') room.serve(true);
        else if (what === 'misbehave') room.misbehave();
        else if (what === 'device') conditions.set({ isOnline: random() < 0.6, isVisible: random() < 0.6 });
        else if (what === 'say') {
          said += 1;
          const id = `c${said}`;
          void connection.command({ type: 'send', client_msg_id: id, text: 'x' }).then(() => results.push(id));
        }
        await clock.advance(integer(random, what === 'wait' ? 40_000 : 1_500));
      }
      isTroubled = false;
      conditions.set({ isOnline: true, isVisible: true });
      for (let i = 0; i < 25; i += 1) {
        room.serve(false);
        await clock.advance(9_000);
      }
      expect(heard, `seed ${seed}`).toEqual(Array.from({ length: room.head }, (_, index) => index + 1));
      expect(new Set(results), `seed ${seed}`).toEqual(new Set(Array.from({ length: said }, (_, index) => `c${index + 1}`)));
      expect(new Set(room.done).size, `seed ${seed}`).toBe(said);
      connection.stop();
      expect(clock.pending, `seed ${seed}`).toBe(0);
    }
  }, 60_000);
});
