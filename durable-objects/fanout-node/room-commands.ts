import type { Outcome, Problem } from '../../protocol/errors.ts';
import type { Command, CommandResult } from '../../protocol/frames.ts';
import type { ActorCommand } from '../channel-room/room-api.ts';
import type { Actor } from '../sockets/actor-api.ts';

/** Commands of one call; and how long the first that waits leaves the call under way to return, in milliseconds. */
export const COMMAND_GROUP = { most: 200, gatherMs: 5 };
/** Commands that are not answered yet, of a node; past it they are refused. */
const MOST_OPEN = 5_000;

export interface RoomCommandsPorts {
  /** As `RoomApi`; both reject when the room cannot be reached. */
  execute(actor: Actor, command: Command): Promise<Outcome<CommandResult>>;
  executeEach(commands: readonly ActorCommand[]): Promise<readonly (Outcome<CommandResult> | null)[]>;
  schedule(ms: number, task: () => void): void;
  failed(error: unknown): void;
}

interface Waiting extends ActorCommand {
  readonly answer: (outcome: Outcome<CommandResult>) => void;
}

const away: Problem = { code: 'unavailable', detail: 'The channel cannot be reached', retry_after: 1 };
const full: Problem = { code: 'unavailable', detail: 'Too many commands wait here', retry_after: 1 };

/**
 * The commands of a node's sockets on their way to the room: many in one call, as a Worker sends those of its requests. A command on a quiet node leaves at once;
 * while a call is under way, what comes leaves together when it is back, or after 5 ms.
 *
 * The commands of a user are executed in the order in which they came, from whichever of their sockets: calls may overtake each other, so while one of theirs is
 * on its way the next ones wait. What the room leaves to a call of its own (Postgres has to be asked about the user) holds up nobody else.
 */
export class RoomCommands {
  readonly #ports: RoomCommandsPorts;
  /** Users of whom a command is on its way. */
  readonly #underWay = new Set<string>();
  #waiting: Waiting[] = [];
  #open = 0;
  #calls = 0;
  #gathering = false;

  constructor(ports: RoomCommandsPorts) {
    this.#ports = ports;
  }

  execute(actor: Actor, command: Command): Promise<Outcome<CommandResult>> {
    if (this.#open >= MOST_OPEN) return Promise.resolve({ problem: full });
    this.#open += 1;
    const { promise, resolve } = Promise.withResolvers<Outcome<CommandResult>>();
    this.#waiting.push({ actor, command, answer: resolve });
    this.#leaveSoon();
    return promise;
  }

  #leaveSoon(): void {
    if (this.#calls === 0 || this.#waiting.length % COMMAND_GROUP.most === 0) return this.#leave();
    if (this.#gathering) return;
    this.#gathering = true;
    this.#ports.schedule(COMMAND_GROUP.gatherMs, () => {
      this.#gathering = false;
      this.#leave();
    });
  }

  #leave(): void {
    const group = this.#take();
    if (group.length > 0) void this.#call(group);
  }

  /** The oldest that may leave. */
  #take(): Waiting[] {
    const [group, rest]: [Waiting[], Waiting[]] = [[], []];
    for (const waiting of this.#waiting) {
      if (group.length < COMMAND_GROUP.most && !this.#underWay.has(waiting.actor.user_id)) group.push(waiting);
      else rest.push(waiting);
    }
    this.#waiting = rest;
    for (const { actor } of group) this.#underWay.add(actor.user_id);
    return group;
  }

  async #call(group: readonly Waiting[]): Promise<void> {
    this.#calls += 1;
    const outcomes = await this.#ask(group);
    this.#calls -= 1;
    const alone = Map.groupBy(group.filter((_, index) => outcomes[index] === null), ({ actor }) => actor.user_id);
    group.forEach((waiting, index) => {
      const outcome = outcomes[index];
      if (outcome !== null) this.#answer(waiting, outcome ?? { problem: away });
    });
    for (const { actor } of group) if (!alone.has(actor.user_id)) this.#underWay.delete(actor.user_id);
    for (const [userId, commands] of alone) void this.#callAlone(userId, commands);
    this.#leave();
  }

  async #ask(group: readonly Waiting[]): Promise<readonly (Outcome<CommandResult> | null)[]> {
    try {
      return await this.#ports.executeEach(group.map(({ actor, command }) => ({ actor, command })));
    } catch (error) {
      this.#ports.failed(error);
      return group.map(() => ({ problem: away }));
    }
  }

  async #callAlone(userId: string, commands: readonly Waiting[]): Promise<void> {
    for (const waiting of commands) this.#answer(waiting, await this.#askAlone(waiting));
    this.#underWay.delete(userId);
    this.#leave();
  }

  async #askAlone({ actor, command }: Waiting): Promise<Outcome<CommandResult>> {
    try {
      return await this.#ports.execute(actor, command);
    } catch (error) {
      this.#ports.failed(error);
      return { problem: away };
    }
  }

  #answer({ answer }: Waiting, outcome: Outcome<CommandResult>): void {
    this.#open -= 1;
    answer(outcome);
  }
}
