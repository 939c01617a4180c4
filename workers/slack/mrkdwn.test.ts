import { describe, expect, it } from 'vitest';
import { pick, seededRandom } from '../../client/testing/random.ts';
import { cpuMs } from '../../tests/support/cpu-time.ts';
import { seedOfRun } from '../../tests/support/seed.ts';
import { emojiOf, nameOf } from './emoji.ts';
import { fromMrkdwn, handlesIn, referencesIn, toMrkdwn } from './mrkdwn.ts';

const [ADA, OPEN] = ['019ac0de-0000-7000-8000-00000000000d', '019ac0de-0000-7000-8000-00000000000b'];
const names = { users: new Map([[ADA, 'ada']]), channels: new Map([[OPEN, 'open']]) };
const people = new Map([['ada', ADA]]);
const read = (text: string) => fromMrkdwn(text, names);

describe('mrkdwn', () => {
  it.each([
    ['a &lt;b&gt; &amp;amp; "c"', 'a <b> &amp; "c"'],
    [`<@${ADA}> and <@${ADA}|old name>`, '@ada and @ada'],
    [`x<@${ADA}>y`, 'x @ada y'],
    [`<@${ADA}>, hello`, '@ada, hello'],
    ['<@U024BE7LH> <@U024BE7LH|grace>', '<@U024BE7LH> grace'],
    [`<#${OPEN}> <#C024BE7LR|general> <#C1>`, '#open #general <#C1>'],
    ['<!here> <!channel> <!everyone> <!subteam^S1|@group>', '@here @channel @channel @group'],
    ['<!date^1392734382^{date}|Feb 18>', 'Feb 18'],
    ['<https://a.example/?b=1&amp;c=2>', 'https://a.example/?b=1&c=2'],
    ['<https://a.example/|the &amp; page>', 'the & page (https://a.example/)'],
    ['<https://a.example|a.example> <mailto:a@b.example|a@b.example>', 'https://a.example a@b.example'],
    ['done :tada: :+1::skin-tone-3: :no_such_name: 10:30:45', 'done 🎉 👍🏼 :no_such_name: 10:30:45'],
    ['`:tada:` and ```\n:tada:\n```', '`:tada:` and ```\n:tada:\n```'],
    [`\`<@${ADA}> :tada:\` :tada: \`<https://a.example/\`>:tada:\``, '`@ada :tada:` 🎉 `https://a.example/`:tada:`'],
    ['<<>> <a < b', '<<>> <a < b'],
    ['if a < b and c > d, Array<String> of <T>', 'if a < b and c > d, Array<String> of <T>'],
    ['< > <|> <a|b> <b>1 &amp;amp; 2</b> <note: this>', '< > <|> <a|b> <b>1 &amp; 2</b> <note: this>'],
    ['<tel:+123> <tel:+123|call> <colink://x>', 'tel:+123 call (tel:+123) colink://x'],
    ['日本語 ğ 👩‍👩‍👧', '日本語 ğ 👩‍👩‍👧'],
  ])('%s is read as %s', (text, said) => {
    expect(read(text)).toBe(said);
  });

  it.each([
    ['a <b> &amp; "c"', 'a &lt;b&gt; &amp;amp; "c"'],
    ['@ada, @ADA: @nobody @here @channel a@ada', `<@${ADA}>, <@${ADA}>: @nobody <!here> <!channel> a@ada`],
    ['see https://a.example/?b=1&c=<d> (https://b.example/).', 'see <https://a.example/?b=1&amp;c=>&lt;d&gt; (<https://b.example/>).'],
    ['https://a.example/@ada', '<https://a.example/@ada>'],
    ['https://a.example/?a=x|y&z', '<https://a.example/?a=x%7Cy&amp;z>'],
  ])('of %s is %s', (text, mrkdwn) => {
    expect(toMrkdwn(text, people)).toBe(mrkdwn);
  });

  /** There is no mrkdwn for the name of an emoji that is to stay one, nor for a bar in an address. */
  const same = (text: string) => text.replaceAll(':tada:', '🎉').replaceAll(/https:[^\s<>"'`]*/g, (address) => address.replaceAll('|', '%7C'));
  const seed = seedOfRun();
  it(`of what was read says the same again, whatever it holds (seed ${seed})`, () => {
    const pieces = ['a', '<', '>', '&', '&lt;', '@ada', '@here', ' ', '\n', 'https://a.example/x', '|', '`', ':tada:', '漢', '👍', '<!here>', `<@${ADA}>`, '.', ')'];
    const random = seededRandom(seed);
    for (let round = 0; round < 5_000; round++) {
      const text = read(Array.from({ length: 8 }, () => pick(random, pieces)).join(''));
      expect(same(read(toMrkdwn(text, people)))).toBe(same(text));
    }
  });

  it('names whom to look up, each once, and a hundred at most', () => {
    expect(referencesIn(`<@${ADA}> <@${ADA}|x> <#${OPEN}> <@U1> <https://x>`)).toEqual({ users: [ADA], channels: [OPEN] });
    const many = Array.from({ length: 300 }, (_, n) => `<@${ADA.slice(0, -3)}${String(n).padStart(3, '0')}>`).join(' ');
    expect(referencesIn(many).users).toHaveLength(100);
    expect(handlesIn('@ada @Ada @bob')).toEqual(['ada', 'bob']);
  });

  it.each([['<'.repeat(60_000)], ['<a'.repeat(30_000)], ['`'.repeat(60_000)], [':a'.repeat(30_000)], ['@'.repeat(60_000)], [`http://${'.'.repeat(60_000)}`], ['http://.'.repeat(8_000)]])('takes no time over %.9s… (G8)', (text) => {
    const spent = cpuMs(() => {
      read(text);
      toMrkdwn(text, people);
      referencesIn(text);
    });
    expect(spent).toBeLessThan(1_000);
  });
});

describe('names of emoji', () => {
  it('are Slack\'s', () => {
    expect(['+1', 'thumbsup', 'heart', 'white_check_mark', 'wave::skin-tone-3', 'partyparrot'].map(emojiOf)).toEqual(['👍', '👍', '❤️', '✅', '👋🏼', null]);
    expect(['👍', '❤️', '❤', '✅', '👋🏼', 'partyparrot', '🇩🇪'].map(nameOf)).toEqual(['+1', 'heart', 'heart', 'white_check_mark', 'wave::skin-tone-3', 'partyparrot', 'de']);
  });

  it('give the emoji back', () => {
    for (const emoji of ['👍', '🎉', '😂', '👀', '🚀', '✅', '👩‍💻', '👋🏿']) expect(emojiOf(nameOf(emoji))).toBe(emoji);
  });
});
