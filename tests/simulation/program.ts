import type { Outcome } from '../../protocol/errors.ts';
import type { CommandResult, SendCommand } from '../../protocol/frames.ts';
import type { Actor } from '../../durable-objects/sockets/actor-api.ts';
import type { RoomObject } from './room-object.ts';
import type { ObjectPorts } from './simulated-object.ts';

interface ProgramPorts extends Pick<ObjectPorts, 'schedule' | 'watch' | 'trace'> {
  readonly room: RoomObject;
}

/** A program that sends by the API: one call a send, or many in one, each repeated under its id until there is an answer. */
export class Program {
  readonly #actor: Actor;
  readonly #ports: ProgramPorts;
  #sends = 0;
  #waiting = 0;

  constructor(actor: Actor, ports: ProgramPorts) {
    this.#actor = actor;
    this.#ports = ports;
  }

  get waiting(): number {
    return this.#waiting;
  }

  send(): Promise<void> {
    return this.#repeat(this.#next(1), async (room, [command]) => (command === undefined ? [] : [await room.execute(this.#actor, command)]));
  }

  sendEach(count: number): Promise<void> {
    return this.#repeat(this.#next(count), async (room, commands) => {
      const outcomes = await room.executeEach(commands.map((command) => ({ actor: this.#actor, command })));
      return outcomes.map((outcome) => outcome ?? { problem: { code: 'unavailable' } });
    });
  }

  sendBatch(count: number): Promise<void> {
    return this.#repeat(this.#next(count), async (room, commands) => {
      const outcome = await room.executeBatch(this.#actor, commands);
      return commands.map((_, index) => ('problem' in outcome ? outcome : one(outcome.ok[index])));
    });
  }

  #next(count: number): SendCommand[] {
    return Array.from({ length: count }, () => {
      this.#sends += 1;
      return { type: 'send', client_msg_id: `p-${this.#sends}`, text: `program ${this.#sends}` };
    });
  }

  async #repeat(commands: readonly SendCommand[], call: (room: Parameters<Parameters<RoomObject['call']>[0]>[0], commands: readonly SendCommand[]) => Promise<Outcome<CommandResult>[]>): Promise<void> {
    this.#waiting += 1;
    while (!(await this.#attempt(commands, call))) await this.#ports.schedule.delay(700);
    this.#waiting -= 1;
  }

  async #attempt(commands: readonly SendCommand[], call: (room: Parameters<Parameters<RoomObject['call']>[0]>[0], commands: readonly SendCommand[]) => Promise<Outcome<CommandResult>[]>): Promise<boolean> {
    const { room, watch } = this.#ports;
    try {
      const answer = await room.call((it) => call(it, commands));
      if ('problem' in answer) return false;
      answer.ok.forEach((outcome, index) => {
        if ('ok' in outcome) watch.acknowledges(this.#actor, commands[index]?.client_msg_id ?? '', outcome.ok);
      });
      return answer.ok.every((outcome) => 'ok' in outcome || outcome.problem.code !== 'unavailable');
    } catch {
      return false;
    }
  }
}

const one = (result: CommandResult | undefined): Outcome<CommandResult> => (result === undefined ? { problem: { code: 'internal' } } : { ok: result });
