import { expect, it } from 'vitest';
import { Acks } from '../client/acks.ts';
import { integer, pick, seededRandom } from '../client/testing/random.ts';
import { Archive } from '../durable-objects/log/archive.ts';
import { Fanout } from '../durable-objects/sockets/fanout.ts';
import { freshRecord, type RoomSocket } from '../durable-objects/sockets/socket-record.ts';
import { MAX_TEXT, SOCKET_WINDOW_BYTES } from '../protocol/limits.ts';
import { ALICE, appendMessages, conversation } from './support/room-core.ts';
import { seedsOfRun } from './support/seed.ts';

const SEEDS = 8;
const STEPS = 40;

/** A socket whose client acknowledges as the SDK does, once what it was sent has arrived. */
class ReadingSocket implements RoomSocket {
  seq = 0;
  readonly due: number[] = [];
  readonly #acks = new Acks(0, { window_bytes: SOCKET_WINDOW_BYTES }, (seq) => this.due.push(seq));

  send(frame: string): void {
    const { from, to } = JSON.parse(frame);
    if (from !== this.seq + 1) throw new Error(`events from ${from} follow ${this.seq}`);
    this.seq = to;
    this.#acks.received(to, frame.length, false);
  }

  close(): void {}
  save(): void {}
}

it('G8: a client that acknowledges no sooner than it must is never waited for, whatever sizes come (P17, P19)', { timeout: 60_000 }, () => {
  for (const seed of seedsOfRun(SEEDS)) {
    const random = seededRandom(seed);
    const room = conversation();
    const archive = new Archive({ eventsBetween: async () => [], poisonBetween: async () => [], failed: () => {} });
    const fanout = new Fanout<ReadingSocket>(room.log, archive, { clock: () => 0, schedule: (_, task) => task(), unsettled: () => {}, closed: () => {}, caughtUp: () => {} });
    const socket = new ReadingSocket();
    fanout.join(socket, freshRecord({ session: 's', actor: ALICE, epoch: 1 }, 0));
    for (let step = 0; step < STEPS; step += 1) {
      const text = pick(random, ['a', 'ü', '語', '\u0001']).repeat(pick(random, [1, 100, MAX_TEXT]));
      fanout.publish(appendMessages(room, 1 + integer(random, text.length > 1_000 ? 20 : 499), text));
      for (let seq = socket.due.shift(); seq !== undefined; seq = socket.due.shift()) fanout.acknowledge(socket, seq);
      expect(socket.seq).toBe(room.log.state.seq);
    }
  }
});
