import { describe, expect, it } from 'vitest';
import { textOfAttachments, textOfBlocks, textOfMessage } from './blocks.ts';
import { readPayload } from './payload.ts';

const plain = (text: string) => ({ type: 'plain_text', text });
const mrkdwn = (text: string) => ({ type: 'mrkdwn', text });

describe('blocks', () => {
  it('are what they say, in mrkdwn', () => {
    const blocks = [
      { type: 'header', text: plain('A < B') },
      { type: 'divider' },
      { type: 'section', text: mrkdwn('*c* &amp; <https://d.example|d>'), fields: [plain('e'), mrkdwn('f')] },
      { type: 'context', elements: [{ type: 'image', image_url: 'https://i.example/?a&b', alt_text: 'a <cat>' }, mrkdwn('g')] },
      { type: 'actions', elements: [{ type: 'button', text: plain('not this') }] },
      { type: 'image', image_url: 'https://i.example/', alt_text: '', title: plain('h') },
      { type: 'markdown', text: 'm' },
    ];
    expect(textOfBlocks(blocks)).toBe('A &lt; B\n*c* &amp; <https://d.example|d>\ne\nf\n<https://i.example/?a&amp;b|a &lt;cat&gt;> g\nh\n<https://i.example/>\nm');
  });

  it('of rich text are its parts', () => {
    const section = (...elements: object[]) => ({ type: 'rich_text_section', elements });
    const text = (of: string) => ({ type: 'text', text: of });
    const rich = { type: 'rich_text', elements: [
      section(text('hi '), { type: 'user', user_id: 'U1' }, text(' & '), { type: 'link', url: 'https://x.example', text: 'x' }, { type: 'emoji', name: 'tada' }, { type: 'broadcast', range: 'here' }),
      { type: 'rich_text_list', style: 'ordered', elements: [section(text('one')), section(text('two'))] },
      { type: 'rich_text_quote', elements: [text('said\ntwice')] },
      { type: 'rich_text_preformatted', elements: [text('code')] },
    ] };
    expect(textOfBlocks([rich])).toBe('hi <@U1> &amp; <https://x.example|x>:tada:<!here>\n1. one\n2. two\n> said\n> twice\n```\ncode\n```');
  });

  it('of any other shape say nothing', () => {
    const odd: unknown[] = [null, 7, 'x', [], {}, { type: 'section' }, { type: 'section', text: 'x', fields: {} }, { type: 'rich_text', elements: [null, { type: 'rich_text_section', elements: 'x' }] }];
    expect(textOfBlocks(odd)).toBe('');
    for (const value of odd) expect(textOfBlocks(value)).toBe('');
  });

  it('are bounded in number and depth (G8)', () => {
    const deep = Array.from({ length: 50 }).reduce<object>((inner) => ({ type: 'rich_text_section', elements: [inner] }), { type: 'text', text: 'deep' });
    expect(textOfBlocks([{ type: 'rich_text', elements: [deep] }])).toBe('');
    expect(textOfBlocks(Array.from({ length: 80 }, () => ({ type: 'header', text: plain('x') }))).length).toBe(99);
  });
});

describe('attachments', () => {
  it('are their parts, or their fallback', () => {
    const attachment = { fallback: 'not this', pretext: 'p', author_name: 'a', title: 't', title_link: 'https://t.example', text: 'x', fields: [{ title: 'k', value: 'v' }, { value: 'w' }] };
    expect(textOfAttachments([attachment, { fallback: 'only this' }, { blocks: [{ type: 'header', text: plain('b') }] }])).toBe('p\na\n<https://t.example|t>\nx\nk: v\nw\nonly this\nb');
  });
});

describe('a message', () => {
  const blocks = [{ type: 'section', text: mrkdwn('Build failed: details') }];
  it('says its text and what its blocks and attachments add to it', () => {
    expect(textOfMessage({ text: 'Build failed', blocks })).toBe('Build failed: details');
    expect(textOfMessage({ text: 'A summary', blocks, attachments: [{ text: 'more' }] })).toBe('A summary\nBuild failed: details\nmore');
    expect(textOfMessage({ text: 'text', blocks: [] })).toBe('text');
    expect(textOfMessage({ text: 7 })).toBe('');
  });

  it('is read from JSON and from forms', () => {
    expect([readPayload('{"text":"a"}'), readPayload(' payload=%7B%22text%22%3A%22a+b%22%7D')]).toEqual([{ text: 'a' }, { text: 'a b' }]);
    expect(['', '[]', 'payload=', 'payload=7', '{', 'text=a'].map(readPayload)).toEqual([null, null, null, null, null, null]);
  });
});
