import { V7Generator } from 'uuidv7';
import { describe, expect, it } from 'vitest';
import { integer, pick, seededRandom } from '../../client/testing/random.ts';
import { nodeSqlite } from '../../tests/support/node-sqlite.ts';
import { actor, conversation, must, NOW, reopen } from '../../tests/support/room-core.ts';
import type { CommandResult } from '../../protocol/frames.ts';
import { seedsOfRun } from '../../tests/support/seed.ts';
import { applyCommand } from './commands.ts';
import type { Conversation } from './conversation.ts';
import type { Actor } from '../sockets/actor-api.ts';

const STEPS = 3_000;
const AUTHORS = [1, 2, 3].map((n) => ({ ...actor(n), expires_at: NOW * 2 }));
const HOUR = 3_600_000;

class Undone extends Error {}
const undo = (): never => {
  throw new Undone();
};

/** Runs what may throw `Undone`. Returns whether it did not. */
function survives(body: () => void): boolean {
  try {
    body();
    return true;
  } catch (error) {
    if (error instanceof Undone) return false;
    throw error;
  }
}

interface Send {
  readonly author: Actor;
  readonly name: string;
}

/** A room, and beside it a map of what it must know: author and client_msg_id, and the message sent under them. */
class Trial {
  readonly #random: () => number;
  readonly #sql = nodeSqlite();
  readonly #known = new Map<string, string>();
  /** The keys of `#known`, in order. */
  readonly #keys: string[] = [];
  #names = 0;
  #room: Conversation;
  #now = NOW;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    conversation({ sql: this.#sql, members: Object.fromEntries(AUTHORS.map(({ user_id }) => [user_id, 'member'])) });
    this.#room = this.#open();
  }

  step(): void {
    this.#now += integer(this.#random, 3);
    const chance = integer(this.#random, 100);
    if (chance < 2) this.#room = this.#open();
    else if (chance < 4) this.#room.messages.sent.merge('all');
    else if (chance < 7) this.#room.rest();
    else if (chance < 12) this.#die();
    else this.#commit(chance < 22);
    if (this.#room.log.undrainedEvents > 5_000) this.#room.log.markDrained(this.#room.log.state.seq);
  }

  /** Ids by author and client_msg_id, in the order of sending: as they must be, and as the next instance finds them. */
  known(): { expected: (readonly [string, string])[]; found: (readonly [string, string | undefined])[] } {
    const room = this.#open();
    const findSent = (key: string): string | undefined => {
      const [author = '', name = ''] = key.split(' ');
      return room.messages.findSent(author, name)?.id;
    };
    return { expected: [...this.#known], found: this.#keys.map((key) => [key, findSent(key)] as const) };
  }

  /** How many messages there are, and how many places the next instance has them in. */
  count(): { messages: number; indexed: number } {
    const [row] = this.#sql.all<{ messages: number; merged: number }>('SELECT count(*) AS messages, (SELECT count(*) FROM sent) AS merged FROM messages');
    return { messages: row?.messages ?? 0, indexed: (row?.merged ?? 0) + this.#open().messages.sent.recent };
  }

  /** The next instance, with a clock that may be behind. */
  #open(): Conversation {
    const uint32 = (): number => integer(this.#random, 2 ** 32);
    const generator = new V7Generator({ nextUint32: uint32 });
    this.#now += integer(this.#random, 2 * HOUR) - HOUR;
    return reopen(this.#sql, (now) => generator.generateOrResetWithTs(now).toString());
  }

  /** A turn of which nothing is kept: neither what it committed nor what it merged. */
  #die(): void {
    const { size } = this.#known;
    survives(() =>
      this.#sql.transaction(() => {
        for (let left = integer(this.#random, 4); left > 0; left--) this.#commit(false);
        this.#room.messages.sent.merge(pick(this.#random, ['due', 'rest', 'all']));
        undo();
      }));
    this.#forgetAfter(size);
    this.#room = this.#open();
  }

  /** Sends and batches in any mixture. */
  #commit(fails: boolean): void {
    const { size } = this.#known;
    const kept = survives(() => {
      this.#room.commit(() => {
        for (let left = integer(this.#random, 6); left > 0; left--) {
          if (integer(this.#random, 4) === 0) this.#batch();
          else this.#send();
        }
        if (fails) undo();
      });
    });
    if (!kept) this.#forgetAfter(size);
  }

  #batch(): void {
    const { size } = this.#known;
    const refused = integer(this.#random, 2) === 0;
    const kept = survives(() =>
      this.#room.attempt(() => {
        for (let left = integer(this.#random, 8); left > 0; left--) this.#send();
        if (refused) undo();
      }));
    if (!kept) this.#forgetAfter(size);
  }

  #send(): void {
    const { author, name } = this.#next();
    const key = `${author.user_id} ${name}`;
    const first = this.#known.get(key);
    const { message_id, changed }: CommandResult = must(applyCommand(this.#room, author, { type: 'send', client_msg_id: name, text: 'x' }, this.#now));
    if (first !== undefined) {
      if (changed || message_id !== first) throw new Error(`${key} is sent again: ${first}, then ${message_id}`);
      return;
    }
    if (!changed) throw new Error(`${key} was never sent, but is taken for ${message_id}`);
    this.#known.set(key, message_id);
    this.#keys.push(key);
  }

  #forgetAfter(size: number): void {
    for (const key of this.#keys.splice(size)) this.#known.delete(key);
  }

  /** A new name, one of the newest, or any; of any author's. */
  #next(): Send {
    const author = pick(this.#random, AUTHORS);
    const back = pick(this.#random, [0, 0, 8, this.#names]);
    return { author, name: `m${back === 0 ? (this.#names += 1) : Math.max(1, this.#names - integer(this.#random, back))}` };
  }
}

describe('sends, failures, batches, merges and deaths in any order', () => {
  it.each(seedsOfRun(3))(`keep each client_msg_id of an author once (G2), seed %i`, (seed) => {
    const trial = new Trial(seed);
    for (let step = 0; step < STEPS; step++) trial.step();
    const { expected, found } = trial.known();
    expect(found).toEqual(expected);
    expect(trial.count()).toEqual({ messages: expected.length, indexed: expected.length });
    const ids = expected.map(([, message]) => message);
    expect(ids).toEqual(ids.toSorted());
  });
});
