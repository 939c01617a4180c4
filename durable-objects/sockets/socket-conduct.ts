import type { z } from 'zod';
import type { Outcome, Problem } from '../../protocol/errors.ts';
import type { Fanout } from './fanout.ts';
import type { RoomSocket } from './socket-record.ts';
import { parseFrame, problemFrame, resultFrame, type ResultOk } from './frames.ts';
import { type BucketRate, TokenBucket } from './token-bucket.ts';

/** Frames out of protocol, after which a socket is closed. */
const BAD_FRAMES = 10;

interface Conduct {
  readonly bucket: TokenBucket;
  badFrames: number;
}

/** How sockets behave: reads their frames, limits their rate, answers, and closes those that do not speak the protocol. */
export class SocketConduct<S extends RoomSocket> {
  readonly #fanout: Fanout<S>;
  readonly #clock: () => number;
  readonly #rate: BucketRate;
  readonly #conduct = new WeakMap<S, Conduct>();

  constructor(fanout: Fanout<S>, clock: () => number, rate: BucketRate) {
    this.#fanout = fanout;
    this.#clock = clock;
    this.#rate = rate;
  }

  /** The frame, or null: it was none, and that is dealt with. */
  read<F>(socket: S, schema: z.ZodType<F>, message: string | ArrayBuffer): F | null {
    this.#fanout.heard(socket);
    const parsed = parseFrame(schema, message);
    if ('frame' in parsed) return parsed.frame;
    if ('tooLarge' in parsed) this.#fanout.close(socket, 1009, 'the frame is too large');
    else this.refuse(socket, parsed.problem, parsed.re);
    return null;
  }

  /** Takes one of what the socket may send; 0, or the whole seconds until there will be one. */
  wait(socket: S): number {
    return this.#conductOf(socket).bucket.take(this.#clock());
  }

  /** An ack that says something new is limited by what was sent. One that does not is out of protocol, but a client may be late. */
  acknowledge(socket: S, seq: number): void {
    const answer = this.#fanout.acknowledge(socket, seq);
    if (answer === 'unsent') this.refuse(socket, unsent, null);
    if (answer === 'old' && this.wait(socket) > 0) this.refuse(socket, tooMany, null);
  }

  refuse(socket: S, problem: Problem, re: string | null): void {
    this.#send(socket, re === null ? problemFrame(problem) : resultFrame(re, { problem }));
    const conduct = this.#conductOf(socket);
    conduct.badFrames += 1;
    if (conduct.badFrames >= BAD_FRAMES) this.#fanout.close(socket, 4000, 'too many bad frames');
  }

  answer(socket: S, re: string, outcome: Outcome<ResultOk>): void {
    this.#send(socket, resultFrame(re, outcome));
  }

  /** What `work` gives. Where it fails the client is told at once, for it waits; the error goes on, to be logged by the platform, which leaves the socket open. */
  async attempt<T>(socket: S, re: string, work: () => Promise<Outcome<T>>): Promise<Outcome<T>> {
    try {
      return await work();
    } catch (error) {
      this.answer(socket, re, { problem: { code: 'internal' } });
      throw error;
    }
  }

  #conductOf(socket: S): Conduct {
    const known = this.#conduct.get(socket);
    if (known !== undefined) return known;
    const conduct = { bucket: new TokenBucket(this.#rate, this.#clock()), badFrames: 0 };
    this.#conduct.set(socket, conduct);
    return conduct;
  }

  #send(socket: S, frame: string): void {
    if (this.#fanout.record(socket) === undefined) return;
    try {
      socket.send(frame);
    } catch {
      this.#fanout.leave(socket);
    }
  }
}

const unsent: Problem = { code: 'invalid', errors: [{ pointer: '/seq', detail: 'was not sent yet' }] };
const tooMany: Problem = { code: 'rate_limited', detail: 'too many acks of what was acked before', retry_after: 1 };
