import { globSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { chooseSeed, seedOfRun, seedsOfRun } from './seed.ts';

it('is the one that is asked for, in CI too', () => {
  expect([chooseSeed({ COLINK_SEED: '42' }), chooseSeed({ COLINK_SEED: '0', CI: 'true' })]).toEqual([42, 0]);
});

it('is always the same in CI, and another one each time elsewhere', () => {
  const ten = (environment: Record<string, string>) => new Set(Array.from({ length: 10 }, () => chooseSeed(environment))).size;
  expect([ten({ CI: 'true' }), ten({}), ten({ CI: '' })]).toEqual([1, 10, 10]);
});

it.each(['', 'seven', '-1', '1.5', '1e3', ' 1', '12345678901'])('is no «%s»', (text) => {
  expect(() => chooseSeed({ COLINK_SEED: text })).toThrow(`COLINK_SEED is the number of a run, as in COLINK_SEED=42, and not «${text}»`);
});

it('is one for all files of a run, and the first of several', () => {
  expect(seedsOfRun(3)).toEqual([seedOfRun(), seedOfRun() + 1, seedOfRun() + 2]);
});

it('is drawn by no test itself', () => {
  const DRAWN = /\b(?:seed\w*|first) = .*(?:Math\.random|randomInt|Date\.now)|seededRandom\((?:Math\.random|randomInt|Date\.now)|each\(\[.*(?:Math\.random|randomInt|Date\.now)/i;
  const files = globSync('**/*.test.ts', { exclude: ['node_modules/**', '.colink/**'] }).filter((file) => file !== 'tests/support/seed.test.ts');
  expect(files.length).toBeGreaterThan(100);
  expect(files.filter((file) => readFileSync(file, 'utf8').split('\n').some((line) => DRAWN.test(line)))).toEqual([]);
});
