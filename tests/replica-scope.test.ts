import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
const sources = ['cli', 'client', 'consumers', 'db', 'durable-objects', 'protocol', 'workers']
  .flatMap((folder) => readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((file) => join(folder, file)))
  .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'));
const naming = (pattern: RegExp): string[] => sources.filter((file) => pattern.test(readFileSync(join(ROOT, file), 'utf8'))).toSorted();

it('a replica is known to the Worker alone, and there to the one piece that judges it: rooms, inboxes, relay and consumers have no way to it', () => {
  expect(naming(/POSTGRES_REPLICA/)).toEqual(['workers/env.ts', 'workers/postgres.ts', 'workers/replica/read-near.ts']);
  expect(naming(/\bwithReplica\b/)).toEqual(['workers/postgres.ts', 'workers/replica/read-near.ts']);
});

it('what may come from a replica are reads of pages, by three routes; each is asked again of the primary', () => {
  expect(naming(/\breadNear\(\s*c\b/)).toEqual(['workers/routes/channels.ts', 'workers/routes/history.ts', 'workers/routes/search.ts']);
});
