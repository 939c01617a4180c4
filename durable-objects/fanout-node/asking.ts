import type { Actor } from '../sockets/actor-api.ts';
import { isOf, type Whose } from '../sockets/whose.ts';

/**
 * What the room is being asked. Its answer and a later word of it, that somebody's access has ended, are in no order: so whose access has ended while
 * it was asked is refused, whatever it answers. Asked again, it knows (G5).
 */
export class Asking {
  readonly #ended = new Set<Whose[]>();

  /** The room says that their access has ended. */
  ended(whose: Whose): void {
    for (const meanwhile of this.#ended) meanwhile.push(whose);
  }

  /** `then` takes the answer in the turn in which it comes; `hasEnded` says whether this actor's access has ended since the call. */
  async ask<A, R>(call: () => Promise<A>, then: (answer: A, hasEnded: (actor: Actor) => boolean) => R): Promise<R> {
    const meanwhile: Whose[] = [];
    this.#ended.add(meanwhile);
    try {
      return then(await call(), (actor) => meanwhile.some((whose) => isOf(whose, actor)));
    } finally {
      this.#ended.delete(meanwhile);
    }
  }
}
