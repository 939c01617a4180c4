import { describe, expect, it } from 'vitest';
import { providerSettings } from './provider.ts';

const env = { OIDC_ISSUER: 'https://id.example', OIDC_CLIENT_ID: 'colink', ENVIRONMENT: 'production' };

describe('the identity provider', () => {
  it('is none where none is configured', () => {
    expect([providerSettings({ ...env, OIDC_ISSUER: '' }), providerSettings({ ...env, OIDC_CLIENT_ID: '' })]).toEqual([null, null]);
  });

  it('is taken over https', () => {
    expect(providerSettings(env)?.issuer.href).toBe('https://id.example/');
  });

  it.each(['http://localhost:4000', 'http://127.0.0.1:4000', 'http://[::1]:4000'])('may be %s in development only', (issuer) => {
    expect(providerSettings({ ...env, OIDC_ISSUER: issuer, ENVIRONMENT: 'development' })?.issuer.protocol).toBe('http:');
    expect(() => providerSettings({ ...env, OIDC_ISSUER: issuer })).toThrow('https');
  });

  it.each(['http://id.example', 'http://localhost.evil.example', 'ftp://localhost'])('is never %s', (issuer) => {
    expect(() => providerSettings({ ...env, OIDC_ISSUER: issuer, ENVIRONMENT: 'development' })).toThrow('https');
  });
});
