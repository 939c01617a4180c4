import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { AUDIENCE, FIRST_ADMIN, PROGRAM } from '../dev/issuer.ts';
import { profileSchema } from '../protocol/api.ts';
import { credentialListSchema } from '../protocol/credentials.ts';
import { startWorld, type World } from './support/world.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld('identity');
});
afterAll(() => world?.close());

const FORM = 'application/x-www-form-urlencoded';

/** Keeps cookies by origin, and follows redirects as a browser does. */
class Visitor {
  readonly #cookies = new Map<string, string>();
  /** Where it has been, and what it was told to keep, in order. */
  readonly visited: URL[] = [];
  readonly setCookies: string[] = [];

  async go(url: URL | string, init: RequestInit = {}): Promise<{ url: URL; response: Response }> {
    let [next, options] = [new URL(url), init];
    for (let hop = 0; hop < 12; hop++) {
      this.visited.push(next);
      const cookie = [...this.#cookies].flatMap(([name, value]) => (name.startsWith(`${next.origin} `) ? [`${name.slice(next.origin.length + 1)}=${value}`] : [])).join('; ');
      const response = await fetch(next, { ...options, redirect: 'manual', headers: { 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0', accept: 'text/html', ...options.headers, cookie } });
      for (const line of response.headers.getSetCookie()) this.#keep(next.origin, line);
      const location = response.headers.get('location');
      if (location === null) return { url: next, response };
      [next, options] = [new URL(location, next), {}];
    }
    throw new Error('redirected in circles');
  }

  #keep(origin: string, line: string): void {
    this.setCookies.push(line);
    const [pair = ''] = line.split(';');
    const at = pair.indexOf('=');
    this.#cookies.set(`${origin} ${pair.slice(0, at)}`, pair.slice(at + 1));
  }
}

async function signIn(handle: string): Promise<Visitor> {
  const visitor = new Visitor();
  const { url } = await visitor.go(`${world.baseUrl}/auth/login`);
  expect(url.href).toContain('/interaction/');
  const { url: back } = await visitor.go(url, { method: 'POST', headers: { 'content-type': FORM }, body: new URLSearchParams({ handle }) });
  expect(back.origin).toBe(world.baseUrl);
  return visitor;
}

const read = async (visitor: Visitor, path: string, init?: RequestInit) => (await visitor.go(`${world.baseUrl}${path}`, init)).response;
const meOf = async (visitor: Visitor) => profileSchema.parse(await (await read(visitor, '/v1/me')).json());

describe('who signs in', () => {
  it('is the administrator by their subject, where the configuration says so and there is none; others are members', async () => {
    expect(await meOf(await signIn('carol'))).toMatchObject({ handle: 'carol', role: 'member' });
    expect(await meOf(await signIn(FIRST_ADMIN))).toMatchObject({ handle: FIRST_ADMIN, role: 'admin' });
  });

  it('comes back with the proof of who began, once, and has a cookie of this host alone that no script reads', async () => {
    const visitor = await signIn('erin');
    const sent = visitor.visited.find(({ searchParams }) => searchParams.has('code_challenge'));
    expect([sent?.searchParams.get('code_challenge_method'), sent?.searchParams.get('response_type')]).toEqual(['S256', 'code']);
    expect(visitor.setCookies).toContainEqual(expect.stringMatching(/^__Host-colink=colink_ses_[\w-]{43}; Max-Age=1209600; Path=\/; HttpOnly; Secure; SameSite=Lax$/));
    const back = visitor.visited.find(({ pathname }) => pathname === '/auth/callback') ?? '';
    for (const other of [new Visitor(), visitor]) expect((await other.go(back)).response.status).toBe(401);
    expect((await read(visitor, '/v1/me')).status).toBe(200);
  });

  it('is told by a page why it did not work, with the status that programs are told', async () => {
    const asked = async (visitor: Visitor, accept: string) => {
      const { response } = await visitor.go(`${world.baseUrl}/auth/callback?code=x&state=y`, { headers: { accept } });
      return { status: response.status, type: response.headers.get('content-type')?.split(';')[0], policy: response.headers.get('content-security-policy'), body: await response.text() };
    };
    const PAGE = { type: 'text/html', policy: expect.stringContaining("default-src 'none'") };
    expect(await asked(new Visitor(), 'text/html,*/*;q=0.8')).toEqual({ ...PAGE, status: 401, body: expect.stringMatching(/Signing in did not work.*began in another browser.*href="\/auth\/login"/s) });
    expect(await asked(new Visitor(), '*/*')).toMatchObject({ status: 401, type: 'application/problem+json' });

    const frank = await meOf(await signIn('frank'));
    await world.sql`UPDATE users SET deactivated_at = now() WHERE id = ${frank.id}`;
    const visitor = new Visitor();
    const { url } = await visitor.go(`${world.baseUrl}/auth/login`);
    const { response } = await visitor.go(url, { method: 'POST', headers: { 'content-type': FORM }, body: new URLSearchParams({ handle: 'frank' }) });
    expect([response.status, await response.text()]).toEqual([403, expect.stringContaining('An administrator has ended it')]);
    expect((await read(visitor, '/v1/me')).status).toBe(401);
  });

  it('sees their devices, and signs the other one out', async () => {
    const [laptop, phone] = [await signIn('dave'), await signIn('dave')];
    const { data } = credentialListSchema.parse(await (await read(laptop, '/v1/me/credentials')).json());
    expect(data.map(({ name, current }) => [name, current])).toEqual([['Firefox on Linux', false], ['Firefox on Linux', true]]);
    const [other] = data;
    expect((await read(laptop, `/v1/me/credentials/${other?.id}`, { method: 'DELETE' })).status).toBe(204);
    expect((await read(laptop, '/v1/me')).status).toBe(200);
    expect((await read(phone, '/v1/bootstrap')).status).toBe(401);
  });
});

async function accessToken(resource: string, scope: string): Promise<string> {
  const body = new URLSearchParams({ grant_type: 'client_credentials', client_id: PROGRAM.id, client_secret: PROGRAM.secret, scope, resource });
  const answer = await fetch(`${world.issuer}/token`, { method: 'POST', body });
  return z.object({ access_token: z.string() }).parse(await answer.json()).access_token;
}
const withToken = (token: string, path: string, method = 'GET') => fetch(`${world.baseUrl}${path}`, { method, headers: { authorization: `Bearer ${token}` } });

describe('a program with an access token of the provider', () => {
  it('is a user of its own, and may what the token says', async () => {
    const token = await accessToken(AUDIENCE, 'channels:read messages:read');
    const [first, again] = await Promise.all([withToken(token, '/v1/me'), withToken(token, '/v1/me')]);
    const me = profileSchema.parse(await first.json());
    expect([me.role, profileSchema.parse(await again.json())]).toEqual(['member', me]);
    expect((await withToken(token, '/v1/bootstrap')).status).toBe(200);
    expect((await withToken(token, '/v1/channels', 'POST')).status).toBe(403);
    const other = profileSchema.parse(await (await withToken(await accessToken(AUDIENCE, 'channels:read'), '/v1/me')).json());
    expect(other.id).toBe(me.id);
  });

  it('G5: has no access left once it has logged out, though the token itself is good for an hour', async () => {
    const token = await accessToken(AUDIENCE, 'channels:read');
    expect((await withToken(token, '/v1/me')).status).toBe(200);
    expect((await withToken(token, '/auth/logout', 'POST')).status).toBe(204);
    for (const path of ['/v1/me', '/v1/bootstrap', '/v1/channels']) expect((await withToken(token, path)).status).toBe(401);
  });

  it('has none with a token that was changed, or made up', async () => {
    const [head, payload] = (await accessToken(AUDIENCE, 'channels:read')).split('.');
    for (const token of [`${head}.${payload}.AAAA`, 'a.b.c', `${'a'.repeat(5_000)}.b.c`]) {
      const answer = await withToken(token, '/v1/me');
      expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="colink", error="invalid_token"']);
    }
  });
});
