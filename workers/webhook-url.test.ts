import { describe, expect, it } from 'vitest';
import { faultOfUrl } from './webhook-url.ts';

describe('the URL of a webhook', () => {
  it.each(['https://example.com/hook', 'https://example.com:8443/a?b=c', 'https://münchen.example/x', 'https://a.b-c.example.'])('may be %s', (url) => {
    expect(faultOfUrl(url, { loopback: false })).toBeNull();
  });

  it.each([
    ['/relative', 'absolute'], ['nothing', 'absolute'], ['http://example.com/', 'https'], ['ftp://example.com/', 'https'], ['javascript:alert(1)', 'https'],
    ['https://user@example.com/', 'credentials'], ['https://user:secret@example.com/', 'credentials'], ['https://example.com:22/', 'port'],
    ['https://127.0.0.1/', 'public'], ['https://2130706433/', 'public'], ['https://0x7f.1/', 'public'], ['https://0177.0.0.1/', 'public'], ['https://8.8.8.8/', 'public'],
    ['https://[::1]/', 'public'], ['https://[::ffff:127.0.0.1]/', 'public'], ['https://localhost/', 'public'], ['https://localhost./', 'public'], ['https://metadata/', 'public'],
    ['https://a.localhost/', 'public'], ['https://metadata.google.internal/', 'public'], ['https://printer.local/', 'public'], ['https://１２７.0.0.1/', 'public'],
  ])('may not be %s', (url, word) => {
    expect(faultOfUrl(url, { loopback: false })).toContain(word);
  });

  it('may be loopback in development, by any port and without TLS; nothing else changes there', () => {
    const allowed = ['http://127.0.0.1:8080/', 'http://localhost:9/', 'https://[::1]:4443/', 'http://2130706433:1/'].map((url) => faultOfUrl(url, { loopback: true }));
    expect(allowed).toEqual([null, null, null, null]);
    expect(faultOfUrl('http://user@127.0.0.1/', { loopback: true })).toContain('credentials');
    expect(faultOfUrl('http://10.0.0.1/', { loopback: true })).toContain('https');
    expect(faultOfUrl('https://10.0.0.1/', { loopback: true })).toContain('public');
    expect(faultOfUrl('ftp://127.0.0.1/', { loopback: true })).toContain('https');
  });
});
