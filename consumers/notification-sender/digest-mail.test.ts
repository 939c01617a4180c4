import { describe, expect, it } from 'vitest';
import type { DigestNotice } from '../../db/queries/email-sending.ts';
import { readPath } from '../../web/state/path.ts';
import { pathOf, renderDigest } from './digest-mail.ts';

const [CHANNEL, MESSAGE, THREAD] = ['019abcde-0000-7000-8000-0000000000c1', '019abcde-0000-7000-8000-0000000000e1', '019abcde-0000-7000-8000-0000000000f1'];
const notice = (wishes: Partial<DigestNotice> = {}): DigestNotice => ({
  seq: 1, reason: 'mention', channel_id: CHANNEL, channel_name: 'engine', message_id: MESSAGE, thread_id: null, author: 'Ann Lee', text: 'hello @ben', created_at: '2026-11-27T10:00:00.000Z',
  is_member: true, is_deleted: false, is_read: false, level: 'mentions', is_muted: false, ...wishes,
});
const LINKS = { baseUrl: 'https://chat.example', unsubscribeUrl: 'https://chat.example/unsubscribe/token' };
const render = (...notices: DigestNotice[]) => renderDigest(notices, LINKS);

describe('a digest', () => {
  it('says who wrote what, where, with a link to each, in plain text and HTML', () => {
    const { subject, text, html } = render(notice(), notice({ reason: 'direct', channel_name: null, author: 'Cas', text: 'two\nlines' }));
    const url = `https://chat.example/channels/${CHANNEL}/messages/${MESSAGE}`;
    expect(subject).toBe('2 unread notifications on Colink');
    expect(text.split('\n\n').slice(1, 3)).toEqual([`Ann Lee mentioned you in #engine\n  hello @ben\n${url}`, `Cas wrote to you\n  two\n  lines\n${url}`]);
    expect(html).toContain(`<a href="${url}"><b>Ann Lee mentioned you in #engine</b></a><br>hello @ben</p>`);
    for (const body of [text, html]) expect(body).toContain(LINKS.unsubscribeUrl);
  });

  it('is HTML in which nothing that somebody wrote is any', () => {
    const evil = '<script>alert(1)</script><img src=x onerror="x">\' & </p>';
    const { html } = render(notice({ author: evil, channel_name: evil, text: evil }));
    expect(html.match(/<[a-z!/][^>]*>/gi)?.filter((tag) => !/^<(?:!doctype html|\/?html.*|\/?body.*|\/?p.*|\/?b|br|\/?a.*|\/?small)>$/.test(tag))).toEqual([]);
    expect(html).not.toMatch(/onerror="|<img|<script/);
    expect(html).toContain('&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=&quot;x&quot;&gt;&#39; &amp; &lt;/p&gt;');
  });

  it('has names of one line, and no characters that are none', () => {
    const { text, subject } = render(notice({ author: 'Ann\r\nBcc: eve@evil.example\u202e', text: 'a\u0000b\u001b[31m\r\nc' }));
    expect(text).toContain('Ann Bcc: eve@evil.example mentioned you');
    expect(text).toContain('  ab[31m\n  c\n');
    expect(subject).toBe('1 unread notification on Colink');
  });

  it('shows the newest 20, and says how many more there are (G8)', () => {
    const { text } = render(...Array.from({ length: 33 }, (_, n) => notice({ text: `number ${n}.` })));
    expect([text.includes('number 13.'), text.includes('number 12.'), text.includes('13 older ones are not shown.')]).toEqual([true, false, true]);
  });

  it('leads to where the page shows the message', () => {
    expect(readPath(pathOf(notice()))).toEqual({ channelId: CHANNEL, threadId: null, messageId: MESSAGE });
    expect(readPath(pathOf(notice({ thread_id: THREAD })))).toEqual({ channelId: CHANNEL, threadId: THREAD, messageId: MESSAGE });
  });
});
