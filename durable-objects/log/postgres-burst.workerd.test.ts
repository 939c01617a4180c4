import { env } from 'cloudflare:workers';
import { expect, it } from 'vitest';
import { PostgresBurst } from './postgres-burst.ts';

it('leaves alone what others ask, where one query fails; the next one has a client of its own', async () => {
  const burst = new PostgresBurst(() => env.POSTGRES.connectionString, 'colink-burst', Date.now);
  const slow = burst.run((sql) => sql`SELECT pg_sleep(0.3), 1 AS n`);
  await expect(burst.run((sql) => sql`SELECT n FROM no_such_table`)).rejects.toThrow('no_such_table');
  const after = burst.run((sql) => sql`SELECT 2 AS n`);
  expect([(await slow)[0]?.['n'], (await after)[0]?.['n']]).toEqual([1, 2]);
  expect(burst.rest()).toBe(false);
  await expect.poll(() => burst.rest()).toBe(true);
});
