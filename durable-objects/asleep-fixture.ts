import { runInDurableObject } from 'cloudflare:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, vi } from 'vitest';

/** The platform lets an idle object sleep after 10 s. A timer, an open connection or a call under way would keep it awake, whatever they are for. */
const ASLEEP_MS = 13_000;
const PING_EVERY_MS = 3_000;
/** With these set an object sleeps on, and is woken for somebody's sake. */
const FOR_LATER = new Set(['auth', 'presence', 'sweep']);

const instances = new WeakMap<object, number>();
let seen = 0;
/** Numbers the instances of objects in the order they are seen. */
const instanceOf = (object: DurableObjectStub): Promise<number> =>
  runInDurableObject(object, (instance) => {
    const known = instances.get(instance) ?? (seen += 1);
    instances.set(instance, known);
    return known;
  });

export const alarmsOf = (object: DurableObjectStub): Promise<unknown[]> =>
  runInDurableObject(object, (_, { storage }) => storage.sql.exec('SELECT purpose FROM alarms').toArray().map(({ purpose }) => purpose));

/** Whatever it has just done, however long a busy machine took for it: it comes to rest, and only then it has to sleep, though it is pinged. */
export async function fallsAsleep(object: () => DurableObjectStub, ping: () => void = () => {}): Promise<void> {
  await vi.waitFor(async () => expect((await alarmsOf(object())).filter((purpose) => !FOR_LATER.has(String(purpose)))).toEqual([]), { timeout: 20_000, interval: 500 });
  const before = await instanceOf(object());
  for (let left = ASLEEP_MS; left > 0; left -= PING_EVERY_MS) {
    ping();
    await sleep(Math.min(left, PING_EVERY_MS));
  }
  expect(await instanceOf(object())).not.toBe(before);
}
