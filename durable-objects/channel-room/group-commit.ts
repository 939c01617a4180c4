import type { Outcome, Problem } from '../../protocol/errors.ts';
import type { Command, CommandResult } from '../../protocol/frames.ts';
import type { LogEvent } from '../log/event-log.ts';
import { applyCommand } from './commands.ts';
import type { Conversation } from './conversation.ts';
import type { Actor } from '../sockets/actor-api.ts';
import type { ActorCommand } from './room-api.ts';

/** Commands that arrive within this time of the last commit share the next one. */
const GATHER_MS = 2;
/** So many commands in one call are worth a commit of their own. */
const GATHERED_COMMANDS = 8;
/** Commands of one commit; one more batch may exceed it. */
const GROUP_COMMANDS = 500;

export interface GroupCommitPorts {
  clock(): number;
  /** Runs `task` once, `ms` later. */
  schedule(ms: number, task: () => void): void;
  /** Called after each commit that appended, in the same turn, before the commands are answered. */
  committed(events: readonly LogEvent[]): void;
  /** The store failed for this command alone; it is answered `internal`. */
  failed(error: unknown): void;
}

/** Commands that succeed or fail together. */
interface Unit {
  readonly actor: Actor;
  readonly commands: readonly Command[];
  readonly answer: (outcome: Outcome<CommandResult[]>) => void;
}

interface Committed {
  /** By unit. */
  readonly value: readonly Outcome<CommandResult[]>[];
  readonly events: readonly LogEvent[];
}

function single(outcome: Outcome<CommandResult[]>): Outcome<CommandResult> {
  if ('problem' in outcome) return outcome;
  const [ok] = outcome.ok;
  return ok === undefined ? { problem: { code: 'internal' } } : { ok };
}

/** Undoes a unit of which one command was refused. */
class Refused extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.code);
    this.problem = problem;
  }
}

/**
 * Gathers commands and commits each group as one transaction, without an `await` in it. A lone command commits in its own turn; only
 * those that come within 2 ms of a commit wait for the rest of that time.
 */
export class GroupCommit {
  readonly #room: Conversation;
  readonly #ports: GroupCommitPorts;
  #waiting: Unit[] = [];
  #commands = 0;
  #scheduled = false;
  #committedAt = Number.NEGATIVE_INFINITY;

  constructor(room: Conversation, ports: GroupCommitPorts) {
    this.#room = room;
    this.#ports = ports;
  }

  async execute(actor: Actor, command: Command): Promise<Outcome<CommandResult>> {
    return single(await this.executeBatch(actor, [command]));
  }

  /** Each by itself, in this order, in one commit. Many have been gathered where they come from, and wait no more. */
  async executeEach(commands: readonly ActorCommand[]): Promise<Outcome<CommandResult>[]> {
    const outcomes = commands.map(({ actor, command }) => this.#wait(actor, [command]));
    if (commands.length >= GATHERED_COMMANDS) this.flush();
    else this.#flushSoon();
    return (await Promise.all(outcomes)).map(single);
  }

  /** All or none. */
  executeBatch(actor: Actor, commands: readonly Command[]): Promise<Outcome<CommandResult[]>> {
    const outcome = this.#wait(actor, commands);
    this.#flushSoon();
    return outcome;
  }

  /** Commits what waits, now. */
  flush(): void {
    const group = this.#waiting;
    if (group.length === 0) return;
    this.#waiting = [];
    this.#commands = 0;
    const now = this.#ports.clock();
    this.#commit(group, now);
    this.#committedAt = this.#ports.clock();
  }

  #wait(actor: Actor, commands: readonly Command[]): Promise<Outcome<CommandResult[]>> {
    const { promise, resolve } = Promise.withResolvers<Outcome<CommandResult[]>>();
    this.#waiting.push({ actor, commands, answer: resolve });
    this.#commands += commands.length;
    return promise;
  }

  #flushSoon(): void {
    if (this.#commands >= GROUP_COMMANDS || this.#rested()) this.flush();
    else this.#scheduleFlush();
  }

  #rested(): boolean {
    return !this.#scheduled && this.#ports.clock() - this.#committedAt >= GATHER_MS;
  }

  #scheduleFlush(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#ports.schedule(GATHER_MS, () => {
      this.#scheduled = false;
      this.flush();
    });
  }

  #commit(group: readonly Unit[], now: number): void {
    const committed = this.#tryCommit(group, now);
    if (committed === null) return;
    if (committed.events.length > 0) this.#ports.committed(committed.events);
    group.forEach((unit, index) => unit.answer(committed.value[index] ?? { problem: { code: 'internal' } }));
  }

  #tryCommit(group: readonly Unit[], now: number): Committed | null {
    try {
      return this.#commitAll(group, now);
    } catch (error) {
      this.#isolate(group, now, error);
      return null;
    }
  }

  #commitAll(group: readonly Unit[], now: number): Committed {
    return this.#room.commit(() => group.map((unit) => this.#apply(unit, now)));
  }

  /** The store failed somewhere in the group, and all of it is rolled back. Each unit alone shows whose fault it was. */
  #isolate(group: readonly Unit[], now: number, error: unknown): void {
    const [only, ...others] = group;
    if (others.length > 0) return group.forEach((unit) => this.#commit([unit], now));
    this.#ports.failed(error);
    only?.answer({ problem: { code: 'internal' } });
  }

  #apply(unit: Unit, now: number): Outcome<CommandResult[]> {
    const [first, ...others] = unit.commands;
    if (first === undefined) return { ok: [] };
    if (others.length > 0) return this.#applyAll(unit, now);
    const outcome = applyCommand(this.#room, unit.actor, first, now);
    return 'problem' in outcome ? outcome : { ok: [outcome.ok] };
  }

  #applyAll({ actor, commands }: Unit, now: number): Outcome<CommandResult[]> {
    try {
      return { ok: this.#room.attempt(() => commands.map((command, index) => this.#must(actor, command, index, now))) };
    } catch (error) {
      if (error instanceof Refused) return { problem: error.problem };
      throw error;
    }
  }

  #must(actor: Actor, command: Command, index: number, now: number): CommandResult {
    const outcome = applyCommand(this.#room, actor, command, now);
    if ('ok' in outcome) return outcome.ok;
    const { errors = [{ pointer: '', detail: outcome.problem.detail ?? outcome.problem.code }], ...problem } = outcome.problem;
    throw new Refused({ ...problem, errors: errors.map(({ pointer, detail }) => ({ pointer: `/messages/${index}${pointer}`, detail })) });
  }
}
