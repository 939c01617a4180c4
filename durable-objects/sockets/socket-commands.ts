import type { Outcome, Problem } from '../../protocol/errors.ts';
import { clientFrameSchema, type ClientFrame, type Command, type CommandResult, type RefreshResult } from '../../protocol/frames.ts';
import type { Fanout, RoomSocket } from './fanout.ts';
import { parseFrame, problemFrame, resultFrame } from './frames.ts';
import type { Actor } from './actor-api.ts';
import { type BucketRate, TokenBucket } from './token-bucket.ts';

/** Commands a second of one socket, and how many at once. */
export const SOCKET_RATE: BucketRate = { perSecond: 50, burst: 100 };
/** Frames out of protocol, after which a socket is closed. */
const BAD_FRAMES = 10;

export interface SocketCommandPorts<S> {
  clock(): number;
  execute(actor: Actor, command: Command): Promise<Outcome<CommandResult>>;
  /** Carries the socket on with the credential of a fresh ticket. */
  refresh(socket: S, ticket: string): Promise<Outcome<RefreshResult>>;
  typing(socket: S, threadId: string | null): void;
  watch(socket: S, presence: boolean): void;
}

interface Conduct {
  readonly bucket: TokenBucket;
  badFrames: number;
}

/** What comes in by sockets: parsed once here, limited in rate, and answered. */
export class SocketCommands<S extends RoomSocket> {
  readonly #fanout: Fanout<S>;
  readonly #ports: SocketCommandPorts<S>;
  readonly #rate: BucketRate;
  readonly #conduct = new WeakMap<S, Conduct>();

  constructor(fanout: Fanout<S>, ports: SocketCommandPorts<S>, rate: BucketRate = SOCKET_RATE) {
    this.#fanout = fanout;
    this.#ports = ports;
    this.#rate = rate;
  }

  /** Resolves when the frame is answered. */
  async handle(socket: S, message: string | ArrayBuffer): Promise<void> {
    const record = this.#fanout.record(socket);
    if (record === undefined) return;
    this.#fanout.heard(socket);
    const parsed = parseFrame(clientFrameSchema, message);
    if ('tooLarge' in parsed) return this.#fanout.close(socket, 1009, 'the frame is too large');
    if ('problem' in parsed) return this.#refuse(socket, parsed.problem, parsed.re);
    await this.#process(socket, record.actor, parsed.frame);
  }

  async #process(socket: S, actor: Actor, frame: ClientFrame): Promise<void> {
    if (frame.type === 'ack') return this.#acknowledge(socket, frame.seq);
    const wait = this.#conductOf(socket).bucket.take(this.#ports.clock());
    if (frame.type === 'typing' || frame.type === 'watch') {
      if (wait > 0) return this.#refuse(socket, { code: 'rate_limited', retry_after: wait }, null);
      return frame.type === 'typing' ? this.#ports.typing(socket, frame.thread_id ?? null) : this.#ports.watch(socket, frame.presence);
    }
    const { id, ...command } = frame;
    if (wait > 0) return this.#send(socket, resultFrame(id, { problem: { code: 'rate_limited', retry_after: wait } }));
    const outcome = command.type === 'refresh' ? await this.#ports.refresh(socket, command.ticket) : await this.#ports.execute(actor, command);
    this.#send(socket, resultFrame(id, outcome));
  }

  /** An ack that says something new is limited by what was sent. One that does not is out of protocol, but a client may be late. */
  #acknowledge(socket: S, seq: number): void {
    const answer = this.#fanout.acknowledge(socket, seq);
    if (answer === 'unsent') this.#refuse(socket, unsent, null);
    if (answer === 'old' && this.#conductOf(socket).bucket.take(this.#ports.clock()) > 0) this.#refuse(socket, tooMany, null);
  }

  #refuse(socket: S, problem: Problem, re: string | null): void {
    this.#send(socket, re === null ? problemFrame(problem) : resultFrame(re, { problem }));
    const conduct = this.#conductOf(socket);
    conduct.badFrames += 1;
    if (conduct.badFrames >= BAD_FRAMES) this.#fanout.close(socket, 4000, 'too many bad frames');
  }

  #conductOf(socket: S): Conduct {
    const known = this.#conduct.get(socket);
    if (known !== undefined) return known;
    const conduct = { bucket: new TokenBucket(this.#rate, this.#ports.clock()), badFrames: 0 };
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
