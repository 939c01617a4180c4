import { describe, expect, it } from 'vitest';
import { filesAgain, readReport, withSecondRun, type FileResult } from './report.ts';

const result = (file: string, passed: number, ...failed: string[]): FileResult => ({
  file,
  passed,
  skipped: [],
  failures: failed.map((test) => ({ file, test, why: 'it did' })),
});

describe('a report', () => {
  it('tells what passed, failed and was left out, by files; and a file that failed as a whole', () => {
    const suites = [
      {
        name: '/project/a.test.ts',
        status: 'failed',
        assertionResults: [
          { fullName: 'a holds', status: 'passed' },
          { fullName: 'a breaks', status: 'failed', failureMessages: ['expected 1', 'at a.ts'] },
          { fullName: 'a wants Kafka', status: 'skipped', failureMessages: null },
        ],
      },
      { name: '/project/b/b.test.ts', status: 'failed', message: 'no such module', assertionResults: [] },
    ];
    expect(readReport({ testResults: suites }, '/project')).toEqual([
      { file: 'a.test.ts', passed: 1, skipped: ['a wants Kafka'], failures: [{ file: 'a.test.ts', test: 'a breaks', why: 'expected 1\nat a.ts' }] },
      { file: 'b/b.test.ts', passed: 0, skipped: [], failures: [{ file: 'b/b.test.ts', test: null, why: 'no such module' }] },
    ]);
  });

  it('that is none throws', () => {
    expect(() => readReport({ testResults: 'all well' }, '/project')).toThrow('testResults');
  });
});

describe('a second run', () => {
  const first = [result('a', 5), result('b', 1, 'b breaks'), result('c', 2, 'c breaks')];

  it('is for files that failed, and for none where many did', () => {
    expect(filesAgain(first)).toEqual(['b', 'c']);
    expect(filesAgain([...first, result('d', 0, 'd'), result('e', 0, 'e')])).toEqual([]);
  });

  it('that holds takes the place of the first, which is told as unsteady', () => {
    expect(withSecondRun(first, [result('b', 2), result('c', 3)])).toEqual({
      results: [result('a', 5), result('b', 2), result('c', 3)],
      unsteady: [...(first[1]?.failures ?? []), ...(first[2]?.failures ?? [])],
    });
  });

  it('that fails elsewhere in the file mends nothing', () => {
    const { results, unsteady } = withSecondRun(first, [result('b', 1, 'b breaks otherwise'), result('c', 3)]);
    expect(results[1]?.failures.map(({ test }) => test)).toEqual(['b breaks', 'b breaks otherwise']);
    expect(unsteady.map(({ test }) => test)).toEqual(['c breaks']);
  });

  it('that never came to a file mends nothing there', () => {
    expect(withSecondRun(first, []).results).toEqual(first);
  });

  it('that left out what it had run mends nothing there', () => {
    expect(withSecondRun(first, [result('b', 0), result('c', 1)])).toEqual({ results: first, unsteady: [] });
  });
});
