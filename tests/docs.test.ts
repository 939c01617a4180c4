import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CLOSE_CODES, type CloseRule } from '../protocol/close-codes.ts';

const pages = ['README.md', ...globSync('docs/**/*.md')];
const FOLDERS = ['bench', 'cli', 'client', 'consumers', 'db', 'dev', 'docs', 'durable-objects', 'protocol', 'scripts', 'tests', 'web', 'workers'];
const PATH = new RegExp(`\`((?:${FOLDERS.join('|')})/[\\w./-]*)\``, 'g');

const yes = (is: boolean): string => (is ? 'yes' : 'no');

const citations = (source: string): string[] =>
  [...source.matchAll(/\((?:[GP]\d+, )*[GP]\d+\)'/g)].flatMap(([list]) => list.match(/P\d+/g) ?? []);

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

describe('docs/protocol.md', () => {
  const page = readFileSync('docs/protocol.md', 'utf8');
  const rules = new Map(page.split(/^- \*\*(?=P\d+\*\*)/m).slice(1).map((rule) => [/^P\d+/.exec(rule)?.[0] ?? '', rule.split('\n\n')[0] ?? ''] as const));
  const testFiles = globSync('**/*.test.ts', { exclude: ['node_modules/**', '.colink/**'] }).filter((file) => file !== 'tests/docs.test.ts');
  /** Numbers of rules in names of tests, by file: «… (G4, P12)». */
  const cited = new Map(testFiles.map((file) => [file, new Set(citations(readFileSync(file, 'utf8')))] as const));

  it('gives every number once', () => {
    expect(page.match(/^- \*\*P\d+\*\*/gm)).toHaveLength(rules.size);
  });

  it.each([...rules])('%s is proved by the tests that it names', (rule, text) => {
    const named = [...text.matchAll(PATH)].map(([, path = '']) => path).filter((path) => path.endsWith('.test.ts'));
    expect(named).not.toEqual([]);
    expect(named.filter((file) => cited.get(file)?.has(rule) !== true)).toEqual([]);
  });

  it('has every rule that a test cites', () => {
    expect([...cited].flatMap(([file, numbers]) => [...numbers].filter((rule) => !rules.has(rule)).map((rule) => `${rule} in ${file}`))).toEqual([]);
  });

  it('has the table of close codes as the protocol has it', () => {
    const rows = Object.entries<CloseRule>(CLOSE_CODES).map(
      ([code, { name, reconnect, backoff, refreshToken, resume }]) => `| ${[code, `\`${name}\``, yes(reconnect), backoff, yes(refreshToken), yes(resume)].join(' | ')} |`,
    );
    expect(page.match(/^\| \d{4} \|.*$/gm)).toEqual(rows);
  });
});
