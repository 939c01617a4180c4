import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { soon } from '../tests/support/soon.ts';
import { restartAfter } from './restart-policy.ts';
import { Supervisor, type RunningPart } from './supervisor.ts';

describe('when a part is started again', () => {
  test('at first at once, then ever later, never later than 5 s', () => {
    const delays: number[] = [];
    for (let failures = 0, i = 0; i < 10; i += 1) {
      const restart = restartAfter(0, failures);
      failures = restart.failures;
      delays.push(restart.delayMs);
    }
    expect(delays).toEqual([50, 100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
  });

  test('a part that ran for 10 s begins anew', () => {
    expect(restartAfter(9_999, 6)).toEqual({ failures: 7, delayMs: 3200 });
    expect(restartAfter(10_000, 6)).toEqual({ failures: 1, delayMs: 50 });
  });
});

interface Fake extends RunningPart {
  die(how: string): void;
}

function fakeStarts() {
  const started: Fake[] = [];
  const failNext = { error: null as Error | null };
  const start = async (): Promise<RunningPart> => {
    if (failNext.error) {
      const error = failNext.error;
      failNext.error = null;
      throw error;
    }
    const { promise, resolve } = Promise.withResolvers<string>();
    const part: Fake = { pids: { part: started.length + 1 }, ended: promise, die: resolve, stop: async () => resolve('stopped') };
    started.push(part);
    return part;
  };
  return { started, failNext, start };
}

function supervised() {
  const lines: string[] = [];
  const onChange = vi.fn<() => void>();
  return { supervisor: new Supervisor({ onChange, report: (line) => lines.push(line) }), lines, onChange };
}

describe('a supervisor', () => {
  test('starts a part that died again and names its new process', async () => {
    const { supervisor, lines, onChange } = supervised();
    const { started, start } = fakeStarts();
    await supervisor.add('part', start);
    expect(supervisor.pids()).toEqual({ part: 1 });

    started[0]?.die('SIGKILL');
    await soon(() => expect(supervisor.pids()).toEqual({ part: 2 }));
    expect(onChange).toHaveBeenCalledTimes(3);
    expect(lines[0]).toBe('part ended (SIGKILL), starting it again');
    await supervisor.stop('part');
  });

  test('goes on trying when a restart fails, and says why', async () => {
    const { supervisor, lines } = supervised();
    const { started, failNext, start } = fakeStarts();
    await supervisor.add('part', start);
    failNext.error = new Error('the port is taken');
    started[0]?.die('exit code 1');
    await soon(() => expect(supervisor.pids()).toEqual({ part: 2 }));
    expect(lines).toContain('part: the port is taken');
    await supervisor.stop('part');
  });

  test('starts nothing that it was told to stop', async () => {
    const { supervisor } = supervised();
    const { started, start } = fakeStarts();
    await supervisor.add('part', start);
    await supervisor.stop('part');
    await sleep(120);
    expect(started).toHaveLength(1);
    expect(supervisor.pids()).toEqual({});
  });

  test('stopped between a death and the restart, the part stays away', async () => {
    const { supervisor } = supervised();
    const { started, start } = fakeStarts();
    await supervisor.add('part', start);
    started[0]?.die('SIGKILL');
    await supervisor.stop('part');
    await sleep(120);
    expect(started).toHaveLength(1);
  });

  test('stopped while it starts, the part ends as soon as it runs', async () => {
    const { supervisor } = supervised();
    const { started, start } = fakeStarts();
    const adding = supervisor.add('part', start);
    await Promise.all([adding, supervisor.stop('part')]);
    expect(started).toHaveLength(1);
    expect(supervisor.pids()).toEqual({});
  });

  test('takes no part once it is closed', async () => {
    const { supervisor } = supervised();
    const { started, start } = fakeStarts();
    supervisor.close();
    await expect(supervisor.add('part', start)).rejects.toThrow('being stopped');
    expect(started).toHaveLength(0);
  });

  test('a first start that fails is the caller’s to judge', async () => {
    const { supervisor } = supervised();
    const { failNext, start } = fakeStarts();
    failNext.error = new Error('no such program');
    await expect(supervisor.add('part', start)).rejects.toThrow('no such program');
    expect(supervisor.pids()).toEqual({});
  });
});
