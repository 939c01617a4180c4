import type { Outcome } from '../../protocol/errors.ts';
import { clientFrameSchema, type ClientFrame, type Command, type CommandResult, type RefreshResult } from '../../protocol/frames.ts';
import type { Fanout } from './fanout.ts';
import type { RoomSocket } from './socket-record.ts';
import type { Actor } from './actor-api.ts';
import { SocketConduct } from './socket-conduct.ts';
import type { BucketRate } from './token-bucket.ts';

/** Commands a second of one socket, and how many at once. */
export const SOCKET_RATE: BucketRate = { perSecond: 50, burst: 100 };

export interface SocketCommandPorts<S> {
  clock(): number;
  execute(actor: Actor, command: Command): Promise<Outcome<CommandResult>>;
  /** Carries the socket on with the credential of a fresh ticket. */
  refresh(socket: S, ticket: string): Promise<Outcome<RefreshResult>>;
  typing(actor: Actor, threadId: string | null): void;
  watch(socket: S, presence: boolean): void;
}

/** What comes in by the sockets of a room: parsed once here, limited in rate, and answered. */
export class SocketCommands<S extends RoomSocket> {
  readonly #fanout: Fanout<S>;
  readonly #ports: SocketCommandPorts<S>;
  readonly #conduct: SocketConduct<S>;

  constructor(fanout: Fanout<S>, ports: SocketCommandPorts<S>, rate: BucketRate = SOCKET_RATE) {
    this.#fanout = fanout;
    this.#ports = ports;
    this.#conduct = new SocketConduct(fanout, () => ports.clock(), rate);
  }

  /** Resolves when the frame is answered. */
  async handle(socket: S, message: string | ArrayBuffer): Promise<void> {
    const record = this.#fanout.record(socket);
    if (record === undefined) return;
    const frame = this.#conduct.read(socket, clientFrameSchema, message);
    if (frame !== null) await this.#process(socket, record.actor, frame);
  }

  async #process(socket: S, actor: Actor, frame: ClientFrame): Promise<void> {
    if (frame.type === 'ack') return this.#conduct.acknowledge(socket, frame.seq);
    const wait = this.#conduct.wait(socket);
    if (frame.type === 'typing' || frame.type === 'watch') {
      if (wait > 0) return this.#conduct.refuse(socket, { code: 'rate_limited', retry_after: wait }, null);
      return frame.type === 'typing' ? this.#ports.typing(actor, frame.thread_id ?? null) : this.#ports.watch(socket, frame.presence);
    }
    const { id, ...command } = frame;
    if (wait > 0) return this.#conduct.answer(socket, id, { problem: { code: 'rate_limited', retry_after: wait } });
    if (command.type === 'refresh') return this.#conduct.answer(socket, id, await this.#ports.refresh(socket, command.ticket));
    const outcome = await this.#conduct.attempt(socket, id, () => this.#ports.execute(actor, command));
    // No refusal of the command, which the client repeats when it comes back with a credential that serves.
    if ('problem' in outcome && outcome.problem.code === 'unauthenticated') return this.#fanout.close(socket, 4001, 'the credential has ended');
    this.#conduct.answer(socket, id, outcome);
  }
}
