import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CLOSE_CODES, type CloseRule } from '../protocol/close-codes.ts';

const pages = ['README.md', ...globSync('docs/**/*.md')];
const FOLDERS = ['bench', 'cli', 'client', 'consumers', 'db', 'dev', 'docs', 'durable-objects', 'ops', 'protocol', 'scripts', 'tests', 'web', 'workers'];
const PATH = new RegExp(`\`((?:${FOLDERS.join('|')})/[\\w./-]*)\``, 'g');

const yes = (is: boolean): string => (is ? 'yes' : 'no');

interface CitingTest {
  readonly title: string;
  readonly rules: readonly string[];
  /** From its name to that of the next. */
  readonly source: string;
}

const CITATION = /'((?:[^'\\\n]|\\.)*?) \(((?:[GP]\d+, )*[GP]\d+)\)'/g;

/** Tests whose names end in numbers. */
function citations(source: string): CitingTest[] {
  const found = [...source.matchAll(CITATION)];
  return found.map(({ index, 1: title = '', 2: numbers = '' }, nth) => ({
    title: title.replaceAll("\\'", "'"),
    rules: numbers.match(/P\d+/g) ?? [],
    source: source.slice(index, found[nth + 1]?.index),
  }));
}

describe.each(pages)('%s', (page) => {
  const text = readFileSync(page, 'utf8');

  it('names only paths that exist', () => {
    const missing = [...text.matchAll(PATH)].map(([, path = '']) => path).filter((path) => !existsSync(path) && path !== 'web/dist');
    expect(missing).toEqual([]);
  });

  it('links only to pages that exist', () => {
    const targets = [...text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map(([, target = '']) => join(dirname(page), target));
    expect(targets.filter((target) => !existsSync(target))).toEqual([]);
  });
});

describe('docs/fault-matrix.md', () => {
  const rows = readFileSync('docs/fault-matrix.md', 'utf8').split('\n').filter((line) => line.startsWith('| ') && line.includes('.test.ts'));
  const titled = rows.flatMap((row) => [...row.matchAll(/`([^`]+\.test\.ts)`((?:(?:: |, )«[^»]+»)+)/g)].flatMap(([, file = '', titles = '']) => [...titles.matchAll(/«([^»]+)»/g)].map(([, title = '']) => ({ file, title }))));

  it('names tests that exist, by a part of their names', () => {
    expect(rows.length).toBeGreaterThan(20);
    expect(titled.filter(({ file, title }) => !readFileSync(file, 'utf8').includes(title))).toEqual([]);
  });
});

describe('docs/protocol.md', () => {
  const page = readFileSync('docs/protocol.md', 'utf8');
  const rules = new Map(page.split(/^- \*\*(?=P\d+\*\*)/m).slice(1).map((rule) => [/^P\d+/.exec(rule)?.[0] ?? '', rule.split('\n\n')[0] ?? ''] as const));
  const testFiles = globSync('**/*.test.ts', { exclude: ['node_modules/**', '.colink/**'] }).filter((file) => file !== 'tests/docs.test.ts');
  /** Numbers of rules in names of tests, by file: «… (G4, P12)». */
  const cited = new Map(testFiles.map((file) => [file, citations(readFileSync(file, 'utf8'))] as const));
  const testOf = (file: string, title: string) => cited.get(file)?.find((test) => test.title === title);

  it('gives every number once', () => {
    expect(page.match(/^- \*\*P\d+\*\*/gm)).toHaveLength(rules.size);
  });

  it.each([...rules])('%s is proved by the tests that it names', (rule, text) => {
    const named = [...text.matchAll(/^  - `(.+\.test\.ts)`: (.+)$/gm)].map(([, file = '', title = '']) => ({ file, title }));
    expect(named).not.toEqual([]);
    expect(named.filter(({ file, title }) => testOf(file, title)?.rules.includes(rule) !== true)).toEqual([]);
  });

  it('has every rule that a test cites', () => {
    expect([...cited].flatMap(([file, tests]) => tests.filter((test) => !test.rules.every((rule) => rules.has(rule))).map(({ title }) => `${title} in ${file}`))).toEqual([]);
  });

  const rows = [...page.matchAll(/^(\| (\d{4}) \|.*\|) (P[\dP, ]+) \|$/gm)].map(([, row = '', code = '', sentBy = '']) => ({ row, code, sentBy: sentBy.split(', ') }));

  it('has the table of close codes as the protocol has it', () => {
    const expected = Object.entries<CloseRule>(CLOSE_CODES).map(
      ([code, { name, reconnect, backoff, refreshToken, resume }]) => `| ${[code, `\`${name}\``, yes(reconnect), backoff, yes(refreshToken), yes(resume)].join(' | ')} |`,
    );
    expect(rows.map(({ row }) => row)).toEqual(expected);
  });

  it.each(rows)('says by rules when $code is sent, and a test of one against the server looks for it', ({ code, sentBy }) => {
    expect(sentBy.filter((rule) => rules.get(rule)?.includes(code) !== true)).toEqual([]);
    const tests = [...cited].filter(([file]) => !file.startsWith('client/')).flatMap(([, found]) => found);
    expect(tests.filter((test) => test.rules.some((rule) => sentBy.includes(rule)) && test.source.includes(code))).not.toEqual([]);
  });
});
