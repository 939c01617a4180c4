import { expect, test } from 'vitest';
import { differentPorts } from './ports.ts';

test('ports that are free are all different, and none of those excluded', async () => {
  const first = await differentPorts(20);
  expect(new Set(first).size).toBe(20);
  const second = await differentPorts(20, first);
  expect(second.filter((port) => first.includes(port))).toEqual([]);
});
