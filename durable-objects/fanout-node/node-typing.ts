import { type TypingChange, typingFrame, typingFrames, type TypingUsers } from '../channel-room/typing.ts';
import type { Fanout } from '../sockets/fanout.ts';
import type { RoomSocket } from '../sockets/socket-record.ts';

/** Who types, as the room told it last. */
export class NodeTyping<S extends RoomSocket> {
  readonly #fanout: Fanout<S>;
  #users: TypingUsers = [];

  constructor(fanout: Fanout<S>) {
    this.#fanout = fanout;
  }

  told(change: TypingChange): void {
    const frameFor = typingFrames(change);
    this.#users = change.now;
    this.#fanout.tell(({ actor }) => frameFor(actor.user_id));
  }

  joined(socket: S): void {
    if (this.#users.length > 0) this.caughtUp(socket);
  }

  /** The socket may have missed that nobody types any more. */
  caughtUp(socket: S): void {
    const userId = this.#fanout.record(socket)?.actor.user_id;
    this.#fanout.tellSocket(socket, typingFrame(this.#users.filter(({ user_id }) => user_id !== userId)));
  }
}
