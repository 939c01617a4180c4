import { eq } from 'drizzle-orm';
import { describe, expect, it } from 'vitest';
import { users } from '../../db/schema/tables.ts';
import { expectProblem, fetchApi, newCaller, newToken, onPostgres, ORIGIN } from '../api-fixture.ts';

const bearer = (authorization: string) => fetchApi('/v1/me', { headers: { Authorization: authorization } });
const unknown = `colink_pat_${'A'.repeat(43)}`;

describe('authentication', () => {
  it('knows a caller by bearer token and by session cookie', async () => {
    const ada = await newCaller();
    expect((await ada.call('GET', '/v1/me')).body).toMatchObject(ada.user);
    const session = await newToken(ada.user, { kind: 'session' });
    expect((await fetchApi('/v1/me', { headers: { Cookie: `a=b; __Host-colink=${session.token}` } })).body).toMatchObject(ada.user);
  });

  it.each(['', 'Bearer', 'Bearer ', `Basic ${unknown}`, 'Bearer nonsense', `Bearer ${unknown}`, `Bearer ${unknown} ${unknown}`, `Bearer ${unknown.slice(0, -1)}\u00e9`])(
    'answers 401 to a forged header: %j',
    async (authorization) => {
      const answer = await bearer(authorization);
      expectProblem(answer, 'unauthenticated');
      expect(answer.headers.get('www-authenticate')).toContain('Bearer realm="colink"');
    },
  );

  it('answers 401 to nobody, without calling the token invalid', async () => {
    const answer = await fetchApi('/v1/me');
    expectProblem(answer, 'unauthenticated');
    expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="colink"');
  });

  it('does not fall back to the cookie where a bearer token is wrong', async () => {
    const session = await newToken((await newCaller()).user, { kind: 'session' });
    expectProblem(await fetchApi('/v1/me', { headers: { Authorization: `Bearer ${unknown}`, Cookie: `__Host-colink=${session.token}` } }), 'unauthenticated');
  });

  it('refuses what has expired', async () => {
    const late = await newCaller({ expires_at: new Date(Date.now() - 1) });
    expectProblem(await late.call('GET', '/v1/me'), 'unauthenticated');
  });

  it('refuses a deactivated user', async () => {
    const gone = await newCaller();
    await onPostgres((db) => db.update(users).set({ deactivated_at: new Date() }).where(eq(users.id, gone.user.id)));
    expectProblem(await gone.call('GET', '/v1/me'), 'unauthenticated');
  });

  it('G5: reads end with the credential, although its identity is still cached', async () => {
    const ada = await newCaller();
    await ada.call('GET', '/v1/me');
    await onPostgres((db) => db.update(users).set({ deactivated_at: new Date() }).where(eq(users.id, ada.user.id)));
    for (const path of ['/v1/me', '/v1/bootstrap', '/v1/channels', '/v1/search/messages?q=x']) expectProblem(await ada.call('GET', path), 'unauthenticated');
  });
});

describe('scopes', () => {
  it('are asked for by each route', async () => {
    const reader = await newCaller({ scopes: ['messages:read', 'channels:read'] });
    const answer = await reader.call('POST', '/v1/channels', { name: 'x' });
    expectProblem(answer, 'forbidden');
    expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="colink", error="insufficient_scope", scope="channels:write"');
    expect((await reader.call('GET', '/v1/channels')).status).toBe(200);
  });
});

describe('forgery', () => {
  const post = async (headers: Record<string, string>) => {
    const session = await newToken((await newCaller()).user, { kind: 'session' });
    return fetchApi('/v1/socket-tickets', { method: 'POST', headers: { Cookie: `__Host-colink=${session.token}`, ...headers } });
  };

  it.each([
    [{ Origin: 'https://evil.example' }], [{ Origin: 'null' }], [{ Origin: `${ORIGIN}.evil.example` }], [{ 'Sec-Fetch-Site': 'cross-site' }], [{ 'Sec-Fetch-Site': 'same-site' }],
  ])('by a page elsewhere is refused: %j', async (headers) => {
    expectProblem(await post(headers), 'forged_origin');
  });

  it.each([[{}], [{ Origin: ORIGIN }], [{ 'Sec-Fetch-Site': 'same-origin' }]])('is not what %j is', async (headers) => {
    expect((await post(headers)).status).toBe(201);
  });
});
