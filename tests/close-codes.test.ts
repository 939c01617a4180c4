import { globSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const sources = globSync(['durable-objects/**/*.ts', 'workers/**/*.ts'], { exclude: ['**/*.test.ts', '**/*-fixture.ts'] });
/** The codes of every call that closes a socket. */
const sent = (source: string): number[] => [...source.matchAll(/\b(?:close|closeWhere|dismiss)\(.*?\b([14]\d{3}), /gi)].map(([, code]) => Number(code));

it('of all codes these are sent by a server, and no others: 1003, 1005, 1006, 1011, 4008 and 4029 are not (P53)', () => {
  const codes = new Set(sources.flatMap((file) => sent(readFileSync(file, 'utf8'))));
  expect([...codes].toSorted()).toEqual([1001, 1009, 1012, 4000, 4001, 4003, 4009]);
});
