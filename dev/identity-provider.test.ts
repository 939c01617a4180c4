import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Server } from 'node:http';
import * as client from 'openid-client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { identityServer } from './identity-provider.ts';
import { issuerAt } from './issuer.ts';
import { persistentKeys } from './identity-keys.ts';
import { freePort } from './ports.ts';

const REDIRECT = 'http://127.0.0.1:8787/auth/callback';
let folder: string;
let port: number;
let server: Server;
let config: client.Configuration;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'colink-idp-'));
  port = await freePort();
  server = identityServer({ port, clientId: 'colink', redirectUris: [REDIRECT], keysFile: join(folder, 'keys.json') });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  config = await client.discovery(new URL(issuerAt(port)), 'colink', undefined, client.None(), { execute: [client.allowInsecureRequests] });
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true, force: true });
});

/** A browser's part: keeps cookies, follows no redirect by itself. */
class Browser {
  readonly #cookies = new Map<string, string>();
  async request(url: URL | string, init: RequestInit = {}): Promise<Response> {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, { ...init, redirect: 'manual', headers: { ...init.headers, cookie } });
    for (const line of response.headers.getSetCookie()) {
      const [name = '', value = ''] = line.split(';')[0]?.split('=') ?? [];
      this.#cookies.set(name, value);
    }
    return response;
  }
}

const target = (response: Response): URL => new URL(response.headers.get('location') ?? '', issuerAt(port));

async function request(verifier = client.randomPKCECodeVerifier()): Promise<Record<string, string>> {
  return {
    redirect_uri: REDIRECT,
    scope: 'openid profile email',
    state: 's',
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  };
}

async function signIn(handle: string): Promise<{ callback: URL; verifier: string }> {
  const browser = new Browser();
  const verifier = client.randomPKCECodeVerifier();
  const start = client.buildAuthorizationUrl(config, await request(verifier));
  const page = target(await browser.request(start));
  expect(await (await browser.request(page)).text()).toContain('knows no passwords');
  const answer = await browser.request(page, { method: 'POST', body: new URLSearchParams({ handle }) });
  const resumed = await browser.request(target(answer));
  return { callback: target(resumed), verifier };
}

test('the code flow with PKCE ends in an ID token with the account’s claims', async () => {
  const { callback, verifier } = await signIn('alice');
  const tokens = await client.authorizationCodeGrant(config, callback, { pkceCodeVerifier: verifier, expectedState: 's' });
  expect(tokens.claims()).toMatchObject({ sub: 'alice', preferred_username: 'alice', name: 'Alice Adams', email: 'alice@colink.test' });
});

test('any handle may sign in', async () => {
  const { callback, verifier } = await signIn('Zoe ');
  const tokens = await client.authorizationCodeGrant(config, callback, { pkceCodeVerifier: verifier, expectedState: 's' });
  expect(tokens.claims()?.sub).toBe('zoe');
});

test('a code without its verifier is worth nothing', async () => {
  const { callback } = await signIn('alice');
  await expect(client.authorizationCodeGrant(config, callback, { pkceCodeVerifier: client.randomPKCECodeVerifier(), expectedState: 's' })).rejects.toMatchObject({ error: 'invalid_grant' });
});

test('a redirect to another address is refused', async () => {
  const start = client.buildAuthorizationUrl(config, { ...(await request()), redirect_uri: 'http://127.0.0.1:1/steal' });
  const response = await fetch(start, { redirect: 'manual' });
  expect(response.status).toBe(400);
});

test('an interaction nobody began is 400', async () => {
  expect((await fetch(`${issuerAt(port)}/interaction/unknown`)).status).toBe(400);
});

test('an account is chosen at every sign-in, also in the same browser', async () => {
  const browser = new Browser();
  for (const handle of ['alice', 'bob']) {
    const page = target(await browser.request(client.buildAuthorizationUrl(config, await request())));
    expect(page.pathname).toMatch(/^\/interaction\//);
    await browser.request(target(await browser.request(page, { method: 'POST', body: new URLSearchParams({ handle }) })));
  }
});

test('keys are made once and kept', () => {
  const file = join(folder, 'other.json');
  expect(persistentKeys(file)).toEqual(persistentKeys(file));
});
