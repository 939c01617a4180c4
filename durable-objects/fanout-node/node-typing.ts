import { TYPING_SECONDS } from '../../protocol/limits.ts';
import { type TypingChange, typingFrame, typingFrames, type TypingUsers } from '../channel-room/typing.ts';
import type { Fanout } from '../sockets/fanout.ts';
import type { RoomSocket } from '../sockets/socket-record.ts';

/** A list may have been followed by another that got lost: whoever comes is told none that is older, in milliseconds. It is only missed until the next. */
const CURRENT_MS = 2 * TYPING_SECONDS * 1_000;

/** Who types, as the room told it last. */
export class NodeTyping<S extends RoomSocket> {
  readonly #fanout: Fanout<S>;
  readonly #clock: () => number;
  #users: TypingUsers = [];
  #toldAt = 0;

  constructor(fanout: Fanout<S>, clock: () => number) {
    this.#fanout = fanout;
    this.#clock = clock;
  }

  told(change: TypingChange): void {
    const frameFor = typingFrames(change);
    [this.#users, this.#toldAt] = [change.now, this.#clock()];
    this.#fanout.tell(({ actor }) => frameFor(actor.user_id));
  }

  joined(socket: S): void {
    if (this.#current.length > 0) this.caughtUp(socket);
  }

  /** The socket may have missed that nobody types any more. */
  caughtUp(socket: S): void {
    const userId = this.#fanout.record(socket)?.actor.user_id;
    this.#fanout.tellSocket(socket, typingFrame(this.#current.filter(({ user_id }) => user_id !== userId)));
  }

  get #current(): TypingUsers {
    return this.#clock() - this.#toldAt > CURRENT_MS ? [] : this.#users;
  }
}
