import { describe, expect, it } from 'vitest';
import { decodeLoginState, encodeLoginState, localPath } from './login-state.ts';

describe('where a sign-in may return to', () => {
  it.each(['/', '/channels/general', '/?around=1#m2', '/a//b'])('is a local path: %s', (path) => {
    expect(localPath(path)).toBe(path);
  });

  it.each([
    '', 'channels', '//evil.example', '/\\evil.example', '\\\\evil.example', 'https://evil.example/', 'javascript:alert(1)', '/\t/evil.example',
    '/\n', '/a b', '/ü', `/${'a'.repeat(2_000)}`,
  ])('is nothing else: %j', (path) => {
    expect(localPath(path)).toBeNull();
  });
});

describe('the login cookie', () => {
  const state = { state: 's'.repeat(43), nonce: 'n'.repeat(43), verifier: 'v'.repeat(43), return_to: '/channels/x;y,z' };

  it('comes back as it went', () => {
    expect(decodeLoginState(encodeLoginState(state))).toEqual(state);
  });

  it.each([
    undefined, '', '%', '[]', '{"state":"x"}',
    encodeLoginState({ ...state, return_to: '//evil.example' }),
    encodeLoginState({ ...state, verifier: 'short' }),
  ])('is void when it is another: %j', (cookie) => {
    expect(decodeLoginState(cookie)).toBeNull();
  });
});
