import { sql } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import { beforeEach, describe, expect, it } from 'vitest';
import { createBot } from '../../db/queries/bots.ts';
import { signIn } from '../../db/queries/users.ts';
import { type Profile, profileSchema, userPageSchema } from '../../protocol/api.ts';
import { directoryEventSchema } from '../../protocol/directory-events.ts';
import { bodyOf, type Caller, expectProblem, newCaller, newChannel, onPostgres } from '../api-fixture.ts';

let ada: Caller;
let bob: Caller;
beforeEach(async () => {
  [ada, bob] = [await newCaller(), await newCaller()];
});

const change = (by: Caller, body: object, version: number | null = 1, more: Record<string, string> = {}) =>
  by.call('PATCH', '/v1/me', body, { ...(version !== null && { 'If-Match': `"${version}"` }), ...more });
const profileOf = async (by: Caller, who: Caller): Promise<Profile> => bodyOf(await by.call('GET', `/v1/users/${who.user.id}`), 200, profileSchema);
const updates = async (who: Caller) => {
  const rows = await onPostgres((db) => db.execute<{ data: unknown }>(sql`SELECT data FROM event_log WHERE key = ${who.user.id} AND type = 'colink.user.updated.v1' ORDER BY position`));
  return rows.map(({ data }) => directoryEventSchema.parse(data));
};
const fresh = (word = 'h') => `${word}-${uuidv7().slice(-12)}`;
const name = (who: Caller, words: string) => onPostgres((db) => db.execute(sql`UPDATE users SET display_name = ${words} WHERE id = ${who.user.id}`));
const deactivate = (who: Caller) => onPostgres((db) => db.execute(sql`UPDATE users SET deactivated_at = now() WHERE id = ${who.user.id}`));
const found = async (by: Caller, query: string) => bodyOf(await by.call('GET', `/v1/users?${query}`), 200, userPageSchema).data.map(({ id }) => id);

describe('one\'s own profile', () => {
  it('is changed as far as is named, told in the outbox once, and seen by others at once (G2)', async () => {
    const key = { 'Idempotency-Key': 'k' };
    const before = await profileOf(bob, ada);
    const body = { display_name: ' Ada   Lovelace ', title: 'Countess', pronouns: 'she/her', time_zone: 'Europe/London' };
    const changed = await change(ada, body, 1, key);
    const after = { ...before, ...body, display_name: 'Ada Lovelace', version: 2 };
    expect([changed.headers.get('etag'), bodyOf(changed, 200, profileSchema)]).toEqual(['"2"', after]);
    expect((await change(ada, body, 1, key)).headers.get('idempotency-replayed')).toBe('true');
    expect(await profileOf(bob, ada)).toEqual(after);
    expect(bodyOf(await change(ada, { title: '', time_zone: null }, 2), 200, profileSchema)).toEqual({ ...after, title: '', time_zone: null, version: 3 });
    expect(bodyOf(await change(ada, { title: '' }, 3), 200, profileSchema).version).toBe(3);
    const { avatar: _, ...named } = ada.user;
    const user = { ...named, display_name: 'Ada Lovelace' };
    expect(await updates(ada)).toMatchObject([{ actor_id: ada.user.id, user, version: 2 }, { user, version: 3 }]);
  });

  it('is not sent again to who has it, by either way to it', async () => {
    const known = (path: string, etag: string) => ada.call('GET', path, undefined, { 'If-None-Match': etag });
    for (const path of ['/v1/me', `/v1/users/${ada.user.id}`]) {
      expect(await known(path, '"1"')).toMatchObject({ status: 304, body: '' });
      expect((await known(path, '"2"')).status).toBe(200);
    }
  });

  it('is refused without a version, with another one, and with what nobody may be called', async () => {
    expectProblem(await change(ada, { title: 'x' }, null), 'precondition_required');
    expectProblem(await change(ada, { title: 'x' }, 2), 'precondition_failed');
    const bodies = [
      { display_name: '' }, { display_name: ' \u00a0 ' }, { display_name: 'Ada\u200b' }, { display_name: 'x'.repeat(81) }, { display_name: 'a\u0000' }, { title: 'a\nb' }, { title: 'x'.repeat(101) },
      { time_zone: 'Mars/Olympus' }, { time_zone: '+01:00' }, { handle: 'Ada' }, { handle: 'here' }, { handle: 'a b' }, { role: 'admin' }, { id: bob.user.id }, { display_name: null },
    ];
    for (const body of bodies) expectProblem(await change(ada, body), 'invalid');
    expect((await profileOf(ada, ada)).version).toBe(1);
  });

  it('G2: of many changes at once with one version one is made', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, (_, n) => change(ada, { title: `title ${n}` })));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, ...Array<number>(7).fill(412)]);
  });

  it('keeps the name that was chosen when the identity provider says another; until then it follows', async () => {
    const identity = (display_name: string) => ({ issuer: 'https://id.example', subject: ada.user.id, handles: ['x'], display_name });
    const signedIn = (display_name: string) => onPostgres((db) => db.transaction((tx) => signIn(tx, identity(display_name), new Date())));
    expect(await signedIn('By the provider')).toMatchObject({ ok: { user: { display_name: 'By the provider' } } });
    await change(ada, { title: 'no name' }, 2);
    expect(await signedIn('Again by it')).toMatchObject({ ok: { user: { display_name: 'Again by it' } } });
    await change(ada, { display_name: 'By herself' }, 4);
    expect(await signedIn('By the provider')).toMatchObject({ ok: { user: { display_name: 'By herself' } } });
  });
});

describe('a handle', () => {
  it('is one person\'s; what was theirs before is nobody else\'s, and theirs to take up again', async () => {
    const [first, second] = [ada.user.handle, fresh()];
    expect(bodyOf(await change(ada, { handle: second }), 200, profileSchema).handle).toBe(second);
    expectProblem(await change(bob, { handle: second }), 'conflict');
    const third = fresh();
    await change(ada, { handle: third }, 2);
    expectProblem(await change(bob, { handle: second }), 'conflict');
    const newcomer = { issuer: 'https://id.example', subject: uuidv7(), handles: [second, first, third, fresh('new')], display_name: 'Newcomer' };
    const entered = await onPostgres((db) => db.transaction((tx) => signIn(tx, newcomer, new Date())));
    expect(entered).toMatchObject({ ok: { created: true, user: { handle: newcomer.handles[3] } } });
    const admin = await newCaller({ role: 'admin' });
    const bot = { id: uuidv7(), credentialId: admin.credentialId, ownerId: admin.user.id, handle: second, display_name: 'Bot', now: new Date(), traceparent: null };
    await expect(onPostgres((db) => db.transaction(async (tx) => {
      const made = await createBot(tx, bot);
      if ('problem' in made) throw new Error(made.problem.code);
    }))).rejects.toThrow('conflict');
    expect(bodyOf(await change(ada, { handle: second }, 3), 200, profileSchema).handle).toBe(second);
  });

  it('of many who want it at once is one\'s, be it given up in that very moment', async () => {
    const [old, wanted] = [fresh('old'), fresh('wanted')];
    await change(ada, { handle: old });
    const people = [bob, await newCaller(), await newCaller()];
    const answers = await Promise.all([change(ada, { handle: fresh() }, 2), ...people.map((one) => change(one, { handle: old })), ...people.map((one) => change(one, { handle: wanted }))]);
    const [left, ...rest] = answers.map(({ status }) => status);
    expect(left).toBe(200);
    // Whoever got the one asks for the other with a version that is old by then.
    expect(rest.slice(0, 3).filter((status) => status !== 409 && status !== 412)).toEqual([]);
    expect(rest.slice(3).filter((status) => status === 200)).toEqual([200]);
  });

  it('is changed so often and no more', async () => {
    for (let version = 1; version <= 10; version++) expect((await change(ada, { handle: fresh() }, version)).status).toBe(200);
    expectProblem(await change(ada, { handle: fresh() }, 11), 'conflict');
    expect((await change(ada, { title: 'still changes' }, 11)).status).toBe(200);
  });
});

describe('the directory', () => {
  it('finds people by what their names have, those first that begin with it; page by page, without who is deactivated', async () => {
    const word = fresh('zz');
    const [carol, dave] = [await newCaller(), await newCaller()];
    await name(ada, `Not ${word}`);
    for (const one of [bob, carol, dave]) await name(one, `${word.toUpperCase()} one`);
    await deactivate(dave);
    const expected = [...[bob, carol].map(({ user }) => user).toSorted((a, b) => (a.handle < b.handle ? -1 : 1)), ada.user].map(({ id }) => id);
    expect(await found(ada, `q=${word}`)).toEqual(expected);
    expect(await found(ada, `q=${word}%20ONE`)).toEqual(expected.slice(0, 2));
    const pages: string[] = [];
    for (let path: string | null = `/v1/users?limit=1&q=${word}`; path !== null;) {
      const answer = await ada.call('GET', path);
      pages.push(...bodyOf(answer, 200, userPageSchema).data.map(({ id }) => id));
      path = /<([^>]+)>; rel="next"/.exec(answer.headers.get('link') ?? '')?.[1] ?? null;
    }
    expect(pages).toEqual(expected);
    for (const q of ['%', '_', '\\', `${word}%`]) expect(await found(ada, `q=${encodeURIComponent(q)}`)).not.toContain(bob.user.id);
    const admin = await newCaller({ role: 'admin' });
    expect(await found(admin, `q=${word}&deactivated=true`)).toContain(dave.user.id);
    expectProblem(await ada.call('GET', `/v1/users?q=${word}&deactivated=true`), 'forbidden');
  });

  it('lists everybody by handle, each once', async () => {
    const all: string[] = [];
    for (let path: string | null = '/v1/users?limit=100'; path !== null;) {
      const answer = await ada.call('GET', path);
      all.push(...bodyOf(answer, 200, userPageSchema).data.map(({ handle }) => handle));
      path = /<([^>]+)>; rel="next"/.exec(answer.headers.get('link') ?? '')?.[1] ?? null;
    }
    expect(all).toEqual(expect.arrayContaining([ada.user.handle, bob.user.handle]));
    expect(new Set(all).size).toBe(all.length);
    for (const [query, code] of [['cursor=x', 'bad_cursor'], ['limit=0', 'invalid'], ['limit=101', 'invalid'], ['q=', 'invalid'], [`q=${'x'.repeat(101)}`, 'invalid'], ['q=a%00', 'invalid'], ['deactivated=yes', 'invalid']] as const) {
      expectProblem(await ada.call('GET', `/v1/users?${query}`), code);
    }
  });
});

describe('a guest', () => {
  it('knows those alone with whom they share a channel, whichever way they ask (G5)', async () => {
    const guest = await newCaller({ role: 'guest' });
    const { id } = await newChannel(ada, 'private');
    await bob.call('GET', `/v1/users/${ada.user.id}`);
    expectProblem(await guest.call('GET', `/v1/users/${ada.user.id}`), 'not_found');
    expect(await found(guest, 'limit=100')).toEqual([guest.user.id]);
    await ada.call('POST', `/v1/channels/${id}/members`, { user_id: guest.user.id });
    expect(await profileOf(guest, ada)).toMatchObject({ id: ada.user.id });
    expectProblem(await guest.call('GET', `/v1/users/${bob.user.id}`), 'not_found');
    expect((await found(guest, 'limit=100')).toSorted()).toEqual([ada.user.id, guest.user.id].toSorted());
    expect(await found(guest, `q=${bob.user.handle}`)).toEqual([]);
    await ada.call('DELETE', `/v1/channels/${id}/members/${guest.user.id}`);
    expectProblem(await guest.call('GET', `/v1/users/${ada.user.id}`), 'not_found');
    expect((await guest.call('GET', `/v1/users/${guest.user.id}`)).status).toBe(200);
  });
});
