import type { Outcome, Problem } from '../../protocol/errors.ts';
import type { Command, CommandResult } from '../../protocol/frames.ts';
import type { Actor } from '../sockets/actor-api.ts';
import type { Admissions } from './admissions.ts';
import { accessProblem } from './commands.ts';
import type { Conversation } from './conversation.ts';
import type { EditWindowLookup } from './edit-window.ts';
import type { GroupCommit } from './group-commit.ts';
import type { ActorCommand, FoundMessage } from './room-api.ts';
import type { RoomMetrics } from './room-metrics.ts';

const lost: Outcome<CommandResult> = { problem: { code: 'internal' } };

export interface ExecutionPorts {
  clock(): number;
  readonly editWindow: EditWindowLookup;
  /** A command of this user has taken effect. */
  done(userId: string, command: Command): void;
}

/** Executes commands: of whom Postgres need not be asked about, or has been, and then as `GroupCommit` does. */
export class CommandExecution {
  readonly #conversation: Conversation;
  readonly #admissions: Admissions;
  readonly #commits: GroupCommit;
  readonly #metrics: RoomMetrics;
  readonly #ports: ExecutionPorts;

  constructor(conversation: Conversation, admissions: Admissions, commits: GroupCommit, metrics: RoomMetrics, ports: ExecutionPorts) {
    this.#conversation = conversation;
    this.#admissions = admissions;
    this.#commits = commits;
    this.#metrics = metrics;
    this.#ports = ports;
  }

  async execute(actor: Actor, command: Command): Promise<Outcome<CommandResult>> {
    const problem = await this.#admissions.refusal(actor);
    if (problem === null && command.type === 'edit') await this.#ports.editWindow.refresh();
    const outcome = problem === null ? await this.#commits.execute(actor, command) : { problem };
    this.#settle({ actor, command }, outcome);
    return outcome;
  }

  /** As `RoomApi.executeEach`. */
  async executeEach(commands: readonly ActorCommand[]): Promise<(Outcome<CommandResult> | null)[]> {
    const now = this.#ports.clock();
    const problems = commands.map(({ actor }) => accessProblem(this.#conversation, actor, now));
    const alone = commands.map(({ command }) => command.type === 'edit' && this.#ports.editWindow.isDue);
    const executed = (await this.#commits.executeEach(commands.filter((_, index) => problems[index] === null && !alone[index]))).values();
    return commands.map((by, index) => {
      const problem = problems[index] ?? null;
      if (problem === null ? alone[index] : problem.code !== 'unauthenticated') return null;
      const outcome = problem === null ? (executed.next().value ?? lost) : { problem };
      this.#settle(by, outcome);
      return outcome;
    });
  }

  /** As `RoomApi.executeBatch`. */
  async executeBatch(actor: Actor, commands: readonly Command[]): Promise<Outcome<CommandResult[]>> {
    const problem = await this.#admissions.refusal(actor);
    const outcome = problem === null ? await this.#commits.executeBatch(actor, commands) : { problem };
    if ('problem' in outcome) this.#countRefused(outcome.problem);
    return outcome;
  }

  /** As `Admissions.refusal`. */
  refusal(actor: Actor): Promise<Problem | null> {
    return this.#admissions.refusal(actor);
  }

  /** As `RoomApi.findAt`. */
  async findAt(actor: Actor, ms: number, remainder: number): Promise<Outcome<FoundMessage | null>> {
    const problem = await this.refusal(actor);
    if (problem !== null) return { problem };
    const found = this.#conversation.messages.findAt(ms, remainder);
    if (found === undefined) return { ok: null };
    const { id: message_id, seq, pos, thread_id, tpos, deleted } = found;
    return { ok: { message_id, seq, pos, thread_id, tpos, deleted: deleted === 1 } };
  }

  #settle({ actor, command }: ActorCommand, outcome: Outcome<CommandResult>): void {
    if ('problem' in outcome) this.#countRefused(outcome.problem);
    else this.#ports.done(actor.user_id, command);
  }

  #countRefused({ code }: Problem): void {
    this.#metrics.count('colink_room_commands_refused_total', 1, { code });
  }
}
