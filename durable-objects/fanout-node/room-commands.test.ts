import { beforeEach, describe, expect, it } from 'vitest';
import type { Outcome } from '../../protocol/errors.ts';
import type { Command, CommandResult } from '../../protocol/frames.ts';
import { ALICE, BOB, id } from '../../tests/support/room-core.ts';
import type { ActorCommand } from '../channel-room/room-api.ts';
import type { Actor } from '../sockets/actor-api.ts';
import { RoomCommands } from './room-commands.ts';

interface Call {
  readonly commands: readonly string[];
  answer(outcomes?: readonly (Outcome<CommandResult> | null)[]): Promise<void>;
  fail(): Promise<void>;
}

const send = (text: string): Command => ({ type: 'send', client_msg_id: text, text });
const textOf = (command: Command): string => ('text' in command ? command.text : '');
const done = (text: string): Outcome<CommandResult> =>
  ({ ok: { message_id: text, seq: 1, pos: 1, thread_id: null, tpos: null, at: '2026-01-01T00:00:00.000Z', changed: true } });
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
};

let calls: Call[];
let alone: Call[];
let timers: (() => void)[];
let answered: string[];
let failures: number;
let commands: RoomCommands;

function called<T>(to: Call[], texts: readonly string[], whole: (outcomes: readonly (Outcome<CommandResult> | null)[]) => T): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const settled = (end: () => void) => (end(), settle());
  to.push({
    commands: texts,
    answer: (outcomes = texts.map(done)) => settled(() => resolve(whole(outcomes))),
    fail: () => settled(() => reject(new Error('away'))),
  });
  return promise;
}

beforeEach(() => {
  [calls, alone, timers, answered, failures] = [[], [], [], [], 0];
  commands = new RoomCommands({
    executeEach: (group: readonly ActorCommand[]) => called(calls, group.map(({ command }) => textOf(command)), (outcomes) => outcomes),
    execute: (_, command) => called(alone, [textOf(command)], ([outcome]) => outcome ?? done('?')),
    schedule: (_, task) => void timers.push(task),
    failed: () => void (failures += 1),
  });
});

const actors = Array.from({ length: 300 }, (_, n): Actor => ({ ...ALICE, user_id: id(7, n) }));

function say(actor: Actor | undefined, text: string): void {
  void commands.execute(actor ?? ALICE, send(text)).then((outcome) => answered.push('ok' in outcome ? text : `${text}: ${outcome.problem.code}`));
}

describe('the commands of a node', () => {
  it('leave at once where none is on its way, and together where one is', async () => {
    say(ALICE, 'a1');
    for (const n of [0, 1, 2]) say(actors[n], `u${n}`);
    expect(calls.map((call) => call.commands)).toEqual([['a1']]);
    await calls[0]?.answer();
    expect(calls[1]?.commands).toEqual(['u0', 'u1', 'u2']);
    await calls[1]?.answer();
    expect(answered).toEqual(['a1', 'u0', 'u1', 'u2']);
  });

  it('wait 5 ms at most for the call before them', () => {
    say(ALICE, 'a1');
    say(BOB, 'b1');
    timers.shift()?.();
    expect(calls.map((call) => call.commands)).toEqual([['a1'], ['b1']]);
  });

  it('of one user leave in their order, and never two calls at a time (G3)', async () => {
    for (const text of ['a1', 'a2', 'a3']) say(ALICE, text);
    say(BOB, 'b1');
    timers.shift()?.();
    expect(calls.map((call) => call.commands)).toEqual([['a1'], ['b1']]);
    await calls[1]?.answer();
    expect(calls).toHaveLength(2);
    await calls[0]?.answer();
    expect(calls[2]?.commands).toEqual(['a2', 'a3']);
  });

  it('are answered each by its own outcome', async () => {
    say(ALICE, 'a1');
    say(BOB, 'b1');
    say(actors[0], 'u0');
    await calls[0]?.answer();
    await calls[1]?.answer([{ problem: { code: 'not_a_member' } }, done('u0')]);
    expect(answered).toEqual(['a1', 'b1: not_a_member', 'u0']);
  });

  it('that need a call of their own get one each, in order, while others go on', async () => {
    say(ALICE, 'a1');
    say(BOB, 'b1');
    say(BOB, 'b2');
    await calls[0]?.answer();
    await calls[1]?.answer([null, null]);
    say(BOB, 'b3');
    say(ALICE, 'a2');
    expect(calls.at(-1)?.commands).toEqual(['a2']);
    await alone[0]?.answer([done('b1')]);
    await alone[1]?.answer([done('b2')]);
    expect([alone.map((call) => call.commands), calls.at(-1)?.commands]).toEqual([[['b1'], ['b2']], ['b3']]);
    expect(answered).toEqual(['a1', 'b1', 'b2']);
  });

  it('are answered 503 where the room cannot be reached, and the next ones try again', async () => {
    say(ALICE, 'a1');
    await calls[0]?.fail();
    say(ALICE, 'a2');
    await calls[1]?.answer([null]);
    await alone[0]?.fail();
    say(ALICE, 'a3');
    await calls[2]?.answer();
    expect([answered, failures]).toEqual([['a1: unavailable', 'a2: unavailable', 'a3'], 2]);
  });

  it('are 200 a call at most, and refused past 5,000 that wait (G8)', async () => {
    say(ALICE, 'first');
    for (let n = 0; n < 300; n++) say(actors[n], `u${n}`);
    expect(calls.map((call) => call.commands.length)).toEqual([1, 200]);
    await calls[1]?.answer();
    expect(calls[2]?.commands).toHaveLength(100);
    for (let n = 0; n < 5_000; n++) say(ALICE, `a${n}`);
    await settle();
    expect(answered.filter((text) => text.endsWith(': unavailable'))).toHaveLength(101);
  });
});
