import type { Outcome } from '../../protocol/errors.ts';
import { inboxClientFrameSchema, type InboxClientFrame, type ReadResult, type RefreshResult } from '../../protocol/frames.ts';
import type { Actor } from '../sockets/actor-api.ts';
import type { Fanout } from '../sockets/fanout.ts';
import type { RoomSocket, Viewing } from '../sockets/socket-record.ts';
import { SocketConduct } from '../sockets/socket-conduct.ts';
import type { BucketRate } from '../sockets/token-bucket.ts';

/** Commands a second of one socket, and how many at once: people read, they do not write here. */
const INBOX_RATE: BucketRate = { perSecond: 10, burst: 50 };

export interface InboxCommandPorts<S> {
  clock(): number;
  read(actor: Actor, channelId: string, pos: number, generation?: number): Promise<Outcome<ReadResult>>;
  markUnread(actor: Actor, channelId: string, pos: number, generation?: number): Promise<Outcome<ReadResult>>;
  /** Carries the socket on with the credential of a fresh ticket. */
  refresh(socket: S, ticket: string): Promise<Outcome<RefreshResult>>;
  activity(socket: S, state: 'active' | 'idle'): void;
  /** Null: the device shows no channel. */
  viewing(socket: S, viewing: Viewing | null): void;
}

/** What comes in by the sockets of an inbox: parsed once here, limited in rate, and answered. */
export class InboxCommands<S extends RoomSocket> {
  readonly #fanout: Fanout<S>;
  readonly #ports: InboxCommandPorts<S>;
  readonly #conduct: SocketConduct<S>;

  constructor(fanout: Fanout<S>, ports: InboxCommandPorts<S>) {
    this.#fanout = fanout;
    this.#ports = ports;
    this.#conduct = new SocketConduct(fanout, () => ports.clock(), INBOX_RATE);
  }

  /** Resolves when the frame is answered. */
  async handle(socket: S, message: string | ArrayBuffer): Promise<void> {
    const record = this.#fanout.record(socket);
    if (record === undefined) return;
    const frame = this.#conduct.read(socket, inboxClientFrameSchema, message);
    if (frame !== null) await this.#process(socket, record.actor, frame);
  }

  async #process(socket: S, actor: Actor, frame: InboxClientFrame): Promise<void> {
    if (frame.type === 'ack') return this.#conduct.acknowledge(socket, frame.seq);
    const wait = this.#conduct.wait(socket);
    if (frame.type === 'activity' || frame.type === 'viewing') {
      return wait > 0 ? this.#conduct.refuse(socket, { code: 'rate_limited', retry_after: wait }, null) : this.#note(socket, frame);
    }
    if (wait > 0) return this.#conduct.answer(socket, frame.id, { problem: { code: 'rate_limited', retry_after: wait } });
    this.#conduct.answer(socket, frame.id, await this.#conduct.attempt(socket, frame.id, () => this.#execute(socket, actor, frame)));
  }

  #note(socket: S, frame: Extract<InboxClientFrame, { type: 'activity' | 'viewing' }>): void {
    if (frame.type === 'activity') return this.#ports.activity(socket, frame.state);
    const { channel_id, thread_id = null } = frame;
    this.#ports.viewing(socket, channel_id === null ? null : { channel_id, thread_id, at: this.#ports.clock() });
  }

  #execute(socket: S, actor: Actor, frame: Extract<InboxClientFrame, { type: 'read' | 'mark_unread' | 'refresh' }>): Promise<Outcome<ReadResult | RefreshResult>> {
    if (frame.type === 'refresh') return this.#ports.refresh(socket, frame.ticket);
    const { channel_id, pos, generation } = frame;
    return frame.type === 'read' ? this.#ports.read(actor, channel_id, pos, generation) : this.#ports.markUnread(actor, channel_id, pos, generation);
  }
}
