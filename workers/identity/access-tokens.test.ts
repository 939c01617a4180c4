import { createServer, type Server } from 'node:http';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import { Provider } from 'oidc-provider';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { freePort } from '../../dev/ports.ts';
import { AccessTokens } from './access-tokens.ts';

const AUDIENCE = 'urn:colink:api';
const SECRET = 'only for this test';

interface Keys {
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
}

async function newKeys(kid: string): Promise<Keys> {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  return { privateKey, jwk: { ...(await exportJWK(privateKey)), kid, use: 'sig', alg: 'RS256' } };
}

/** The provider package itself, with a program that gets access tokens of its own. */
class TestProvider {
  readonly issuer: string;
  readonly #port: number;
  #server: Server | null = null;

  constructor(port: number) {
    this.#port = port;
    this.issuer = `http://127.0.0.1:${port}`;
  }

  async start(keys: readonly Keys[]): Promise<void> {
    const provider = new Provider(this.issuer, {
      clients: [{ client_id: 'program', client_secret: SECRET, redirect_uris: [], response_types: [], grant_types: ['client_credentials'], token_endpoint_auth_method: 'client_secret_post' }],
      jwks: { keys: keys.map(({ jwk }) => ({ ...jwk, kty: 'RSA' as const })) },
      features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: (_context, resource) => ({ scope: 'messages:read channels:read other', audience: resource, accessTokenFormat: 'jwt', accessTokenTTL: 600, jwt: { sign: { alg: 'RS256' } } }),
        },
      },
    });
    const serve = provider.callback();
    // No connection is kept: the next provider is another process.
    const server = createServer((request, response) => {
      response.setHeader('connection', 'close');
      void serve(request, response);
    });
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve));
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    server?.closeAllConnections();
    await new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()));
  }

  async token(resource = AUDIENCE, scope = 'messages:read other'): Promise<string> {
    const body = new URLSearchParams({ grant_type: 'client_credentials', client_id: 'program', client_secret: SECRET, resource, scope });
    const answer = await fetch(`${this.issuer}/token`, { method: 'POST', body });
    return z.object({ access_token: z.string() }).parse(await answer.json()).access_token;
  }
}

let provider: TestProvider;
let keys: Keys;
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
  keys = await newKeys('first');
  provider = new TestProvider(await freePort());
  await provider.start([keys]);
});
afterEach(async () => {
  await provider.stop();
  vi.useRealTimers();
});

const later = (seconds: number): void => void vi.setSystemTime(Date.now() + seconds * 1_000);
const verify = (token: string, tokens = new AccessTokens()) => tokens.verify(token, { issuer: provider.issuer, audience: AUDIENCE, jwksUri: `${provider.issuer}/jwks` });
const now = () => Math.floor(Date.now() / 1_000);

/** Signed by the provider's own key, but with claims that it would not issue. */
function forge(claims: JWTPayload, { alg = 'RS256', key = keys.privateKey }: { alg?: string; key?: CryptoKey | Uint8Array } = {}): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg, kid: 'first', typ: 'at+jwt' }).sign(key);
}
const good = (): JWTPayload => ({ iss: provider.issuer, aud: AUDIENCE, sub: 'program', iat: now(), exp: now() + 600, scope: 'messages:read' });

describe('an access token of the provider', () => {
  it('is taken, with the scopes that are known here', async () => {
    const taken = await verify(await provider.token());
    expect(taken).toMatchObject({ claims: { iss: provider.issuer, sub: 'program' }, scopes: ['messages:read'] });
    expect(Math.abs((taken?.expiresAt.getTime() ?? 0) - (Date.now() + 600_000))).toBeLessThan(5_000);
  });

  it('is taken where it is made by hand in the same way, so that the refusals below are of what they name', async () => {
    expect(await verify(await forge(good()))).not.toBeNull();
    expect(await verify(await forge({ ...good(), scope: ['messages:read', 'admin'] }))).toMatchObject({ scopes: ['messages:read', 'admin'] });
  });

  it('is refused for another audience', async () => {
    expect(await verify(await provider.token('urn:another:api'))).toBeNull();
  });

  it('is refused when it has expired, and before', async () => {
    const token = await provider.token();
    later(590);
    expect(await verify(token)).not.toBeNull();
    later(30);
    expect(await verify(token)).toBeNull();
  });

  it.each(['exp', 'iat', 'sub', 'aud', 'iss'])('is refused without %s', async (claim) => {
    const { [claim]: _, ...rest } = good();
    expect(await verify(await forge(rest))).toBeNull();
  });

  it.each([
    ['of another issuer', () => ({ iss: 'https://evil.example' })],
    ['not valid yet', () => ({ nbf: now() + 60 })],
    ['issued in the future', () => ({ iat: now() + 60 })],
    ['issued more than a day ago', () => ({ iat: now() - 90_000 })],
    ['of a subject that is no text', () => ({ sub: 7 as unknown as string })],
    ['of an empty subject', () => ({ sub: '' })],
  ])('is refused: %s', async (_, change) => {
    expect(await verify(await forge({ ...good(), ...change() }))).toBeNull();
  });

  it('ends a day after it was issued, whatever it says', async () => {
    const taken = await verify(await forge({ ...good(), exp: now() + 10 * 86_400 }));
    expect(taken?.expiresAt.getTime()).toBe((now() + 86_400) * 1_000);
  });

  it('is refused unsigned', async () => {
    expect(await verify(new UnsecuredJWT(good()).encode())).toBeNull();
  });

  it('is refused where the public key was used as a shared secret', async () => {
    const { n, e } = keys.jwk;
    for (const guess of [JSON.stringify({ kty: 'RSA', n, e }), n ?? '']) expect(await verify(await forge(good(), { alg: 'HS256', key: new TextEncoder().encode(guess) }))).toBeNull();
  });

  it('is refused where another key signed it', async () => {
    expect(await verify(await forge(good(), { key: (await newKeys('first')).privateKey }))).toBeNull();
  });

  it('is refused with a changed claim', async () => {
    const [head, , signature] = (await forge(good())).split('.');
    const forged = Buffer.from(JSON.stringify({ ...good(), sub: 'admin' })).toString('base64url');
    expect(await verify(`${head}.${forged}.${signature}`)).toBeNull();
  });

  it.each(['a.b.c', '..', 'e30.e30.e30', `${Buffer.from('{"alg":"RS256","kid":"first"}').toString('base64url')}.e30.AAAA`])('is refused: %s', async (token) => {
    expect(await verify(token)).toBeNull();
  });
});

describe('when the provider rotates its keys', () => {
  it('tokens of the new key are taken, those of one given up no longer', async () => {
    const tokens = new AccessTokens();
    const old = await provider.token();
    expect(await verify(old, tokens)).not.toBeNull();
    const next = await newKeys('second');
    await provider.stop();
    await provider.start([next]);
    later(31);
    expect(await verify(await provider.token(), tokens)).not.toBeNull();
    expect(await verify(old, tokens)).toBeNull();
  });

  it('unknown keys do not make it ask the provider each time', async () => {
    const tokens = new AccessTokens();
    expect(await verify(await provider.token(), tokens)).not.toBeNull();
    await provider.stop();
    const strange = await new SignJWT(good()).setProtectedHeader({ alg: 'RS256', kid: 'strange' }).sign(keys.privateKey);
    expect(await verify(strange, tokens)).toBeNull();
  });

  it('a provider that is away is told from a token that is bad', async () => {
    const token = await provider.token();
    await provider.stop();
    await expect(verify(token)).rejects.toThrow('fetch failed');
  });
});
