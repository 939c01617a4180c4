import { afterEach, expect, test } from 'vitest';
import { type HeldPorts, holdPorts } from './held-ports.ts';
import { close, isFree, listen, planPorts } from './ports.ts';

const held: HeldPorts[] = [];
afterEach(async () => {
  for (const one of held.splice(0)) await one.releaseAll();
});

async function hold(...args: Parameters<typeof holdPorts>) {
  const plan = await holdPorts(...args);
  held.push(plan.held);
  return plan;
}

test('a held port is nobody else’s until it is released', async () => {
  const { ports, held: mine } = await hold('free');
  expect(await isFree(ports.fleet)).toBe(false);
  await mine.release('fleet');
  expect(await isFree(ports.fleet)).toBe(true);
  expect(await isFree(ports.relay)).toBe(false);
});

test('two stacks that plan at the same time share no port', async () => {
  const [one, other] = await Promise.all([hold('usual'), hold('usual')]);
  const ports = [...Object.values(one.ports), ...Object.values(other.ports)];
  expect(new Set(ports).size).toBe(ports.length);
});

test('a usual port that is taken is replaced, and named', async () => {
  const first = await hold('usual');
  const second = await hold('usual');
  expect(second.taken.worker).toBe(8787);
  expect(second.ports.worker).not.toBe(first.ports.worker);
});

test('a port that is asked for is had or refused', async () => {
  const { ports } = await planPorts('free');
  const server = await listen(ports.worker);
  await expect(holdPorts('usual', ports.worker)).rejects.toThrow(`port ${ports.worker} is taken`);
  await expect(holdPorts(ports)).rejects.toThrow(`port ${ports.worker} (worker) is taken`);
  if (server) await close(server);
  expect((await hold('usual', ports.worker)).ports.worker).toBe(ports.worker);
});
