import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ActorCommand } from '../durable-objects/channel-room/room-api.ts';
import type { Outcome } from '../protocol/errors.ts';
import type { CommandResult } from '../protocol/frames.ts';
import { RoomCalls, type Caller } from './room-calls.ts';

const commandOf = (name: string): ActorCommand => ({
  actor: { user_id: 'u', credential_id: 'c', expires_at: 1 },
  command: { type: 'send', client_msg_id: name, text: name },
});
const nameOf = ({ command }: ActorCommand): string => (command.type === 'send' ? command.client_msg_id : command.type);
const done = (name: string): Outcome<CommandResult> => ({
  ok: { message_id: name, seq: 1, pos: 1, thread_id: null, tpos: null, at: '2026-11-23T10:00:00.000Z', changed: true },
});
const refused: Outcome<CommandResult> = { problem: { code: 'not_found' } };
const unavailable: Outcome<CommandResult> = { problem: { code: 'unavailable', retry_after: 1 } };

/** A call to a room, which returns when the test says so. */
interface Call {
  readonly names: readonly string[];
  answer(outcomes?: readonly (Outcome<CommandResult> | null)[]): void;
  fail(error: unknown): void;
}

let calls: Call[];
let alone: string[];
let rooms: RoomCalls;

const caller: Caller = {
  call: (commands) => {
    const { promise, resolve, reject } = Promise.withResolvers<readonly (Outcome<CommandResult> | null)[]>();
    const names = commands.map(nameOf);
    calls.push({ names, answer: (outcomes = names.map(done)) => resolve(outcomes), fail: reject });
    return promise;
  },
  callAlone: (command) => {
    alone.push(nameOf(command));
    return Promise.resolve(refused);
  },
  keep: () => {},
};

const execute = (name: string, room = 'room'): Promise<Outcome<CommandResult>> => rooms.execute(room, commandOf(name), caller);
const settled = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);
const namesOfCalls = (): (readonly string[])[] => calls.map(({ names }) => names);
/** What a promise came to by now; undefined: nothing yet. */
function watch<T>(promise: Promise<T>): { value: T | undefined } {
  const seen: { value: T | undefined } = { value: undefined };
  void promise.then((value) => (seen.value = value));
  return seen;
}

beforeEach(() => {
  vi.useFakeTimers();
  [calls, alone] = [[], []];
  rooms = new RoomCalls(true);
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe('calls to a room', () => {
  it('are not shared where the platform would answer a request in the context of another', async () => {
    rooms = new RoomCalls(false);
    expect(await Promise.all([execute('a'), execute('b')])).toEqual([refused, refused]);
    expect([calls, alone]).toEqual([[], ['a', 'b']]);
  });

  it('leave to a call of its own what the room would have to ask about, and hold up nobody for it', async () => {
    const [stranger, member] = [execute('stranger'), execute('member')];
    calls[0]?.answer([null]);
    await settled();
    calls[1]?.answer();
    expect([await stranger, await member]).toEqual([refused, done('member')]);
    expect([namesOfCalls(), alone]).toEqual([[['stranger'], ['member']], ['stranger']]);
  });

  it('carry a lone command at once', async () => {
    for (const name of ['a', 'b']) {
      const outcome = execute(name);
      expect(calls.at(-1)?.names).toEqual([name]);
      calls.at(-1)?.answer();
      expect(await outcome).toEqual(done(name));
    }
  });

  it('carry together what came while one was on its way, when it is back, and each command gets its own outcome', async () => {
    const outcomes = ['a', 'b', 'c', 'd'].map((name) => execute(name));
    await vi.advanceTimersByTimeAsync(4);
    expect(namesOfCalls()).toEqual([['a']]);
    calls[0]?.answer();
    await settled();
    expect(namesOfCalls()).toEqual([['a'], ['b', 'c', 'd']]);
    calls[1]?.answer([done('b'), refused, done('d')]);
    expect(await Promise.all(outcomes)).toEqual([done('a'), done('b'), refused, done('d')]);
  });

  it('leave after 5 ms where the one before hangs, and may come back in another order', async () => {
    const first = watch(execute('a'));
    const others = ['b', 'c'].map((name) => execute(name));
    await vi.advanceTimersByTimeAsync(5);
    expect(namesOfCalls()).toEqual([['a'], ['b', 'c']]);
    calls[1]?.answer();
    expect(await Promise.all(others)).toEqual([done('b'), done('c')]);
    expect(first.value).toBeUndefined();
    calls[0]?.answer();
    await settled();
    expect(first.value).toEqual(done('a'));
  });

  it('are of one room each', async () => {
    const outcomes = [execute('a', 'one'), execute('b', 'two')];
    expect(namesOfCalls()).toEqual([['a'], ['b']]);
    calls.forEach((call) => call.answer());
    expect(await Promise.all(outcomes)).toEqual([done('a'), done('b')]);
  });

  it('carry at most 200 commands (G8)', async () => {
    const names = Array.from({ length: 450 }, (_, n) => `m${n}`);
    const outcomes = names.map((name) => execute(name));
    expect(calls.map((call) => call.names.length)).toEqual([1, 200, 200]);
    calls.forEach((call) => call.answer());
    await settled();
    calls.at(-1)?.answer();
    expect(await Promise.all(outcomes)).toEqual(names.map(done));
    expect(namesOfCalls().flat()).toEqual(names);
  });

  it('are kept alive by the request that makes them, until all are answered', async () => {
    const kept: Record<string, { value: string | undefined }> = {};
    const by = (name: string): Caller => ({ ...caller, keep: (work) => (kept[name] = watch(work.then(() => 'ended'))) });
    void rooms.execute('room', commandOf('a'), by('a'));
    const outcomes = ['b', 'c'].map((name) => rooms.execute('room', commandOf(name), by(name)));
    calls[0]?.answer();
    await settled();
    expect(Object.keys(kept)).toEqual(['a', 'b']);
    expect(kept['b']?.value).toBeUndefined();
    calls[1]?.answer();
    await Promise.all(outcomes);
    expect(kept['b']?.value).toBe('ended');
  });
});

describe('a call that goes wrong', () => {
  it('rejects all that it carried, and none of what the next ones carry', async () => {
    const first = execute('a');
    const failures = ['b', 'c'].map((name) => execute(name));
    const rejected = Promise.all(failures.map((failure) => expect(failure).rejects.toThrow('reset')));
    calls[0]?.answer();
    await first;
    await settled();
    const behind = execute('d');
    calls[1]?.fail(new Error('reset'));
    await rejected;
    expect(namesOfCalls()).toEqual([['a'], ['b', 'c'], ['d']]);
    calls[2]?.answer();
    expect(await behind).toEqual(done('d'));
    const after = execute('e');
    calls[3]?.answer();
    expect(await after).toEqual(done('e'));
  });

  it('and does not return soon is made again by those it left waiting', async () => {
    const left = ['a', 'b', 'c', 'd'].map((name) => execute(name));
    await vi.advanceTimersByTimeAsync(1_199);
    expect(namesOfCalls()).toEqual([['a'], ['b', 'c', 'd']]);
    await vi.advanceTimersByTimeAsync(6);
    expect(namesOfCalls()).toEqual([['a'], ['b', 'c', 'd'], ['a', 'b']]);
    await vi.advanceTimersByTimeAsync(100);
    expect(namesOfCalls().slice(3)).toEqual([['c', 'd']]);
    calls.slice(2).forEach((call) => call.answer());
    expect(await Promise.all(left)).toEqual(['a', 'b', 'c', 'd'].map(done));
  });

  it('and returns late after all still answers, and what it brings stands', async () => {
    const late = watch(execute('a'));
    await vi.advanceTimersByTimeAsync(1_205);
    expect(namesOfCalls()).toEqual([['a'], ['a']]);
    calls[0]?.answer([refused]);
    calls[1]?.answer();
    await settled();
    expect(late.value).toEqual(refused);
  });

  it('and never returns, made again or not, leaves its senders to repeat after 15 s (G1, G8)', async () => {
    const first = watch(execute('a'));
    await vi.advanceTimersByTimeAsync(15_004);
    expect(first.value).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1);
    expect(first.value).toEqual(unavailable);
    expect(namesOfCalls()).toEqual([['a'], ['a']]);
    calls.forEach((call) => call.answer());
    await settled();
    expect(first.value).toEqual(unavailable);
    const after = execute('b');
    calls[2]?.answer();
    expect(await after).toEqual(done('b'));
  });

  it('and brings too few outcomes answers the rest as internal', async () => {
    const first = execute('a');
    const outcomes = ['b', 'c'].map((name) => execute(name));
    calls[0]?.answer();
    await first;
    await settled();
    calls[1]?.answer([done('b')]);
    expect(await Promise.all(outcomes)).toEqual([done('b'), { problem: { code: 'internal' } }]);
  });
});

/** As the platform leaves a request whose client hung up: its timer is gone, and a promise of its that another settles is continued by nobody. */
function cutOff(name: string): void {
  vi.spyOn(globalThis, 'setTimeout').mockReturnValueOnce(Object.create(null));
  vi.spyOn(Promise, 'withResolvers').mockImplementationOnce(() => ({ promise: new Promise(() => {}), resolve: () => {}, reject: () => {} }));
  void execute(name);
  vi.restoreAllMocks();
}

describe('a request that was cut off while it waited for its turn', () => {
  beforeEach(() => {
    void execute('in flight');
    cutOff('cut off');
  });

  it('is passed over by one that waits behind it, although the call before has returned', async () => {
    const behind = ['a', 'b'].map((name) => execute(name));
    calls[0]?.answer();
    await vi.advanceTimersByTimeAsync(99);
    expect(calls).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(namesOfCalls()).toEqual([['in flight'], ['cut off', 'a', 'b']]);
    calls[1]?.answer([done('cut off'), done('a'), refused]);
    expect(await Promise.all(behind)).toEqual([done('a'), refused]);
  });

  it('and likewise although that call hangs', async () => {
    const behind = execute('a');
    await vi.advanceTimersByTimeAsync(100);
    calls[1]?.answer();
    expect(await behind).toEqual(done('a'));
  });

  it('is passed over at once by one that comes when the call before has returned', async () => {
    calls[0]?.answer();
    await settled();
    const next = execute('a');
    expect(namesOfCalls()).toEqual([['in flight'], ['cut off', 'a']]);
    calls[1]?.answer();
    expect(await next).toEqual(done('a'));
  });
});

it('a request that is continued only after another has called for it and was answered has its answer', async () => {
  void execute('in flight');
  const real = Promise.withResolvers.bind(Promise);
  vi.spyOn(Promise, 'withResolvers').mockImplementationOnce(<T>() => {
    const { promise, resolve, reject } = real<T>();
    return { promise, reject, resolve: (value: T | PromiseLike<T>) => void setTimeout(() => resolve(value), 50) };
  });
  const slow = execute('slow');
  vi.restoreAllMocks();
  calls[0]?.answer();
  await settled();
  const quick = execute('quick');
  expect(namesOfCalls()).toEqual([['in flight'], ['slow', 'quick']]);
  calls[1]?.answer();
  expect(await quick).toEqual(done('quick'));
  const seen = watch(slow);
  await vi.advanceTimersByTimeAsync(60);
  expect(seen.value).toEqual(done('slow'));
});
