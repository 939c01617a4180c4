import { describe, expect, it } from 'vitest';
import { cpuMs } from '../tests/support/cpu-time.ts';
import { phraseOf, phrasesIn, wordsOf } from './keywords.ts';
import { MAX_KEYWORD_WORDS, MAX_MATCHED_WORDS, MAX_TEXT } from './limits.ts';
import { notificationSettingsBodySchema, quietHoursSchema } from './notifications.ts';

const finds = (keyword: string, text: string): boolean => phrasesIn(text).has(phraseOf(keyword) ?? '');

describe('a keyword is found', () => {
  it.each([
    ['deploy', 'Deploy now'],
    ['deploy', '(deploy!)'],
    ['difference engine', 'the Difference\n  ENGINE works'],
    ['Straße', 'in der STRASSE'],
    ['ΣΊΣΥΦΟΣ', 'ο Σίσυφος'],
    ['café', 'cafe\u0301'],
    ['ＡＢＣ', 'abc'],
    ['東京', '明日東京都に行く'],
    ['สวัสดี', 'อสวัสดีครับ'],
    ['c++', 'we use C++, not C'],
    ['c#', 'C#'],
    ['🎉', 'done🎉🎉'],
    ['e-mail', 'by e-mail'],
    ['node_modules', 'rm node_modules'],
  ])('%j in %j', (keyword, text) => {
    expect(finds(keyword, text)).toBe(true);
  });

  it.each([
    ['deploy', 'deployment, redeploy, deploy_all'],
    ['difference engine', 'an engine of difference'],
    ['c', 'c++ and c#'],
    ['東京', '京東'],
    ['cafe', 'café'],
    ['a b', 'a'],
  ])('%j is not in %j', (keyword, text) => {
    expect(finds(keyword, text)).toBe(false);
  });
});

describe('what a hostile text or keyword costs (G8)', () => {
  it.each([
    ['letters', 'a'.repeat(MAX_TEXT)],
    ['single words', 'a '.repeat(MAX_TEXT / 2)],
    ['plus signs', `a${'+'.repeat(MAX_TEXT - 2)}b`],
    ['words with plus signs', 'a++b'.repeat(MAX_TEXT / 4)],
    ['marks', `e${'\u0301'.repeat(MAX_TEXT - 1)}`],
    ['what one character becomes 18 by folding', '\ufdfa'.repeat(MAX_TEXT)],
    ['no word at all', '-'.repeat(MAX_TEXT)],
  ])('%s: no more than the same length of anything', (_, text) => {
    const spent = cpuMs(() => {
      for (let n = 0; n < 5; n++) expect(phrasesIn(text).size).toBeLessThanOrEqual(MAX_MATCHED_WORDS * MAX_KEYWORD_WORDS);
    });
    // A quadratic one would take minutes: 10,000 code units squared.
    expect(spent).toBeLessThan(2_000);
  });

  it('is bounded in words', () => {
    expect(wordsOf('a '.repeat(5_000), MAX_MATCHED_WORDS)).toHaveLength(MAX_MATCHED_WORDS);
    expect(phraseOf('a '.repeat(MAX_KEYWORD_WORDS))).not.toBeNull();
    expect(phraseOf('a '.repeat(MAX_KEYWORD_WORDS + 1))).toBeNull();
    expect(finds('last', `${'a '.repeat(MAX_MATCHED_WORDS)}last`)).toBe(false);
  });
});

describe('settings', () => {
  it.each([
    [{}, ''],
    [{ keywords: ['!!!'] }, '/keywords/0'],
    [{ keywords: ['a b c d e f g h i'] }, '/keywords/0'],
    [{ keywords: ['x'.repeat(51)] }, '/keywords/0'],
    [{ keywords: Array.from({ length: 51 }, (_, n) => `k${n}`) }, '/keywords'],
    [{ keywords: ['a\u0000b'] }, '/keywords/0'],
    [{ level: 'some' }, '/level'],
    [{ quiet_hours: { start_minute: 1_440, end_minute: 0, time_zone: 'Europe/Berlin', weekdays: [1] } }, '/quiet_hours/start_minute'],
    [{ quiet_hours: { start_minute: 0, end_minute: 0, time_zone: '+01:00', weekdays: [1] } }, '/quiet_hours/time_zone'],
    [{ quiet_hours: { start_minute: 0, end_minute: 0, time_zone: 'Europe/Atlantis', weekdays: [1] } }, '/quiet_hours/time_zone'],
    [{ quiet_hours: { start_minute: 0, end_minute: 0, time_zone: 'UTC', weekdays: [] } }, '/quiet_hours/weekdays'],
    [{ quiet_hours: { start_minute: 0, end_minute: 0, time_zone: 'UTC', weekdays: [1, 1] } }, '/quiet_hours/weekdays'],
    [{ quiet_hours: { start_minute: 0, end_minute: 0, time_zone: 'UTC', weekdays: [0] } }, '/quiet_hours/weekdays/0'],
  ])('refuse %j', (body, place) => {
    const parsed = notificationSettingsBodySchema.safeParse(body);
    expect(parsed.error?.issues.map(({ path }) => path.map((part) => `/${String(part)}`).join(''))).toEqual([place]);
  });

  it('take any zone by its name', () => {
    for (const time_zone of ['UTC', 'Europe/Berlin', 'Asia/Kolkata', 'America/Argentina/Ushuaia']) {
      expect(quietHoursSchema.safeParse({ start_minute: 0, end_minute: 0, time_zone, weekdays: [7] }).success).toBe(true);
    }
  });
});
