import { beforeEach, expect, it } from 'vitest';
import { StoredCore } from './stored-core.ts';

/** An object's storage, and a Postgres that answers when `answer` says so. */
class World {
  storage: string | null = null;
  fills = 0;
  failures: unknown[] = [];
  isBusy = true;
  timers: (() => void)[] = [];
  answer: (found: boolean | Error) => void = () => {};

  open(): StoredCore<{ readonly id: string }> {
    return new StoredCore({
      stored: () => (this.storage === null ? null : { id: this.storage }),
      idOf: ({ id }) => id,
      fill: (id) => this.#fill(id),
      failed: (id, error) => void this.failures.push([id, error]),
      rest: () => !this.isBusy,
      schedule: (_, task) => void this.timers.push(task),
    });
  }

  async #fill(id: string): Promise<boolean> {
    this.fills += 1;
    const found = await new Promise<boolean | Error>((resolve) => (this.answer = resolve));
    if (found instanceof Error) throw found;
    if (found) this.storage = id;
    return found;
  }
}

let world: World;
beforeEach(() => {
  world = new World();
});

it('opens what is stored, and asks nobody', async () => {
  world.storage = 'a';
  const object = world.open();
  expect([object.current, await object.open('a'), world.fills, world.timers]).toEqual([{ id: 'a' }, { ok: { id: 'a' } }, 0, []]);
});

it('is filled once for all who ask meanwhile', async () => {
  const object = world.open();
  const asked = [object.open('a'), object.open('a'), object.mustOpen('a')];
  expect(object.current).toBeNull();
  world.answer(true);
  expect(await Promise.all(asked)).toEqual([{ ok: { id: 'a' } }, { ok: { id: 'a' } }, { id: 'a' }]);
  expect([world.fills, object.current]).toEqual([1, { id: 'a' }]);
});

it('serves nobody another\'s, be it open or being filled (G5)', async () => {
  const object = world.open();
  const [mine, others] = [object.open('a'), object.open('b')];
  world.answer(true);
  await expect(others).rejects.toThrow('this object is another\'s');
  expect(await mine).toEqual({ ok: { id: 'a' } });
  await expect(object.open('b')).rejects.toThrow('this object is another\'s');
});

it('asks again where there was no such channel, or Postgres was away', async () => {
  const object = world.open();
  const unknown = object.open('a');
  world.answer(false);
  expect(await unknown).toEqual({ problem: { code: 'not_found' } });
  const [away, down] = [object.open('a'), new Error('down')];
  world.answer(down);
  expect([await away, world.failures]).toEqual([{ problem: { code: 'unavailable', retry_after: 1 } }, [['a', down]]]);
  const must = object.mustOpen('a');
  world.answer(false);
  await expect(must).rejects.toThrow('not_found');
  expect(world.fills).toBe(3);
});

it.each([true, false, new Error('down')])('leaves no timer once the connection is closed, whatever came of it (%s)', async (found) => {
  const opening = world.open().open('a');
  world.answer(found);
  await opening;
  for (const isBusy of [true, true, false]) {
    world.isBusy = isBusy;
    expect(world.timers).toHaveLength(1);
    world.timers.pop()?.();
  }
  expect(world.timers).toEqual([]);
});
