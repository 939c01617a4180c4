import { sql } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import { beforeEach, describe, expect, it } from 'vitest';
import { signIn } from '../../db/queries/users.ts';
import { type Channel, memberPageSchema, profileSchema, type User } from '../../protocol/api.ts';
import { acceptanceSchema, invitationPageSchema, newInvitationSchema } from '../../protocol/invitations.ts';
import { TOKEN_SCOPES } from '../../protocol/scopes.ts';
import { bodyOf, type Caller, expectProblem, newCaller, newChannel, newToken, onPostgres, send } from '../api-fixture.ts';

const PATH = '/v1/invitations';
let admin: Caller;
let ada: Caller;
let channel: Channel;
beforeEach(async () => {
  [admin, ada] = [await newCaller({ role: 'admin' }), await newCaller()];
  channel = await newChannel(ada, 'private');
}, 60_000);

const invite = (by: Caller, wish: object, headers: Record<string, string> = {}) => by.call('POST', PATH, wish, headers);
const invited = async (by: Caller, wish: object) => {
  const { token, ...invitation } = bodyOf(await invite(by, wish), 201, newInvitationSchema);
  return { ...invitation, token: token ?? '' };
};
const accept = (by: Caller, token: string) => by.call('POST', '/v1/invitation-acceptances', { token });
const roleOf = async (who: Caller) => bodyOf(await who.call('GET', '/v1/me'), 200, profileSchema).role;

/** Signs in for the first time where it takes an invitation. */
async function stranger(): Promise<Caller> {
  const person = { issuer: 'https://id.example', subject: uuidv7(), handles: [`s-${uuidv7().slice(-12)}`], display_name: 'Stranger' };
  const entered = await onPostgres((db) => db.transaction((tx) => signIn(tx, person, new Date(), false)));
  if ('problem' in entered) throw new Error(entered.problem.code);
  return newToken(entered.ok.user satisfies User);
}

describe('an invitation', () => {
  it('lets somebody into its channels, as a guest who had no place; and once, however often they accept it (G2, G5)', async () => {
    const newcomer = await stranger();
    expect([await roleOf(newcomer), (await newcomer.call('GET', '/v1/channels')).body]).toMatchObject(['guest', { data: [] }]);
    expectProblem(await newcomer.call('GET', `/v1/channels/${channel.id}`), 'not_found');
    const invitation = await invited(ada, { channel_ids: [channel.id] });
    expect(invitation).toMatchObject({ role: 'guest', channel_ids: [channel.id], created_by: ada.user.id, max_uses: 1, uses: 0, revoked_at: null });
    expect(invitation.token).toMatch(/^colink_inv_/);
    for (let n = 0; n < 2; n++) {
      expect(bodyOf(await accept(newcomer, invitation.token), 200, acceptanceSchema)).toMatchObject({ user: { id: newcomer.user.id, role: 'guest' }, channel_ids: [channel.id] });
    }
    expect((await send(newcomer, channel.id, 'here I am')).pos).toBe(1);
    expectProblem(await accept(await stranger(), invitation.token), 'not_found');
    await ada.call('DELETE', `/v1/channels/${channel.id}/members/${newcomer.user.id}`);
    expect(bodyOf(await accept(newcomer, invitation.token), 200, acceptanceSchema).channel_ids).toEqual([]);
    expectProblem(await newcomer.call('GET', `/v1/channels/${channel.id}`), 'not_found');
  });

  it('of an administrator makes a member of who had no place; of who has one it changes no role, up or down', async () => {
    const [newcomer, guest, member] = [await stranger(), await newCaller({ role: 'guest' }), await newCaller()];
    const toMembers = await invited(admin, { role: 'member', max_uses: 10 });
    for (const who of [newcomer, guest, member]) expect((await accept(who, toMembers.token)).status).toBe(200);
    expect([await roleOf(newcomer), await roleOf(guest), await roleOf(member)]).toEqual(['member', 'guest', 'member']);
    const toGuests = await invited(ada, { channel_ids: [channel.id], max_uses: 10 });
    for (const who of [newcomer, admin]) expect((await accept(who, toGuests.token)).status).toBe(200);
    expect([await roleOf(newcomer), await roleOf(admin)]).toEqual(['member', 'admin']);
    const told = await onPostgres((db) => db.execute<{ data: unknown }>(sql`SELECT data FROM event_log WHERE key = ${newcomer.user.id} AND type = 'colink.user.updated.v1'`));
    expect(told.map(({ data }) => data)).toMatchObject([{ user: { role: 'member' }, version: 2, actor_id: admin.user.id }]);
  });

  it('G2: lets in as many as it says, of twenty who come at once', async () => {
    const { token, id } = await invited(ada, { channel_ids: [channel.id], max_uses: 3 });
    const people = await Promise.all(Array.from({ length: 10 }, () => newCaller()));
    const answers = await Promise.all([...people, ...people].map((who) => accept(who, token)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 404]));
    const members = bodyOf(await ada.call('GET', `/v1/channels/${channel.id}/members`), 200, memberPageSchema).data;
    expect(members).toHaveLength(4);
    expect(bodyOf(await ada.call('GET', PATH), 200, invitationPageSchema).data).toMatchObject([{ id, uses: 3 }]);
  });

  it('is good no more once it is revoked, has ended, or who made it may not invite any more; nor is what is none', async () => {
    const later = new Date(Date.now() - 1_000).toISOString();
    const ends: [string, (id: string) => Promise<unknown>][] = [
      ['revoked', (id) => ada.call('DELETE', `${PATH}/${id}`)],
      ['over', (id) => onPostgres((db) => db.execute(sql`UPDATE invitations SET expires_at = ${later}::timestamptz WHERE id = ${id}`))],
      ['archived', () => ada.call('POST', `/v1/channels/${channel.id}/archive`)],
      ['demoted', () => onPostgres((db) => db.execute(sql`UPDATE members SET role = 'member' WHERE channel_id = ${channel.id} AND user_id = ${ada.user.id}`))],
      ['deactivated', () => onPostgres((db) => db.execute(sql`UPDATE users SET deactivated_at = now() WHERE id = ${ada.user.id}`))],
    ];
    for (const [, end] of ends) {
      ada = await newCaller();
      channel = await newChannel(ada, 'private');
      const { id, token } = await invited(ada, { channel_ids: [channel.id] });
      await end(id);
      expectProblem(await accept(await newCaller(), token), 'not_found');
    }
    for (const token of ['x', `colink_inv_${'A'.repeat(43)}`, ada.token]) expectProblem(await accept(admin, token), 'not_found');
    const { token } = await invited(admin, { role: 'member' });
    await onPostgres((db) => db.execute(sql`UPDATE users SET role = 'member' WHERE id = ${admin.user.id}`));
    const newcomer = await stranger();
    expectProblem(await accept(newcomer, token), 'not_found');
    expect(await roleOf(newcomer)).toBe('guest');
    expectProblem(await ada.call('GET', '/v1/me', undefined, { Authorization: `Bearer ${token}` }), 'unauthenticated');
  });
});

describe('who invites', () => {
  it('is who manages the channels, and of members an administrator, with the scope for it (G5)', async () => {
    const [bob, guest, narrow] = [await newCaller(), await newCaller({ role: 'guest' }), await newToken(admin.user, { scopes: TOKEN_SCOPES })];
    const shared = await newChannel(ada);
    for (const one of [bob, guest]) await ada.call('POST', `/v1/channels/${shared.id}/members`, { user_id: one.user.id, role: one === guest ? 'admin' : 'member' });
    for (const one of [bob, guest]) expectProblem(await invite(one, { channel_ids: [shared.id] }), 'forbidden');
    for (const one of [ada, bob, guest, narrow]) expectProblem(await invite(one, { role: 'member' }), 'forbidden');
    const hidden = await invite(bob, { channel_ids: [channel.id] });
    expect([hidden.body, (await invite(bob, { channel_ids: [uuidv7()] })).body]).toMatchObject([{ code: 'invalid', errors: [{ pointer: '/channel_ids/0' }] }, { errors: [{ pointer: '/channel_ids/0' }] }]);
    expectProblem(await invite(admin, { channel_ids: [channel.id] }), 'invalid');
    expect((await invite(admin, { channel_ids: [shared.id] })).status).toBe(201);
    for (const wish of [{}, { channel_ids: [] }, { role: 'admin' }, { role: 'member', max_uses: 0 }, { role: 'member', max_uses: 1_001 }, { role: 'member', expires_in: 59 }, { role: 'member', expires_in: 30 * 86_400 + 1 }, { channel_ids: [shared.id, shared.id] }]) {
      expectProblem(await invite(admin, wish), 'invalid');
    }
  });

  it('is shown the token once, and nothing of it is kept; lists and revokes what is theirs, administrators what is anybody\'s', async () => {
    const key = { 'Idempotency-Key': 'k' };
    const made = bodyOf(await invite(ada, { channel_ids: [channel.id] }, key), 201, newInvitationSchema);
    expect(bodyOf(await invite(ada, { channel_ids: [channel.id] }, key), 201, newInvitationSchema)).toEqual({ ...made, token: null });
    const kept = await onPostgres((db) => db.execute(sql`SELECT i::text AS row, k.body FROM invitations i, idempotency_keys k WHERE i.id = ${made.id} AND k.user_id = ${ada.user.id}`));
    expect(JSON.stringify(kept)).not.toContain(made.token);
    const second = await invited(ada, { channel_ids: [channel.id], max_uses: 7, expires_in: 60 });
    const listed = async (by: Caller, more = '') => bodyOf(await by.call('GET', `${PATH}?limit=1${more}`), 200, invitationPageSchema);
    const page = await listed(ada);
    expect([page.data, (await listed(ada, `&cursor=${page.next_cursor}`)).data]).toMatchObject([[{ id: second.id, max_uses: 7 }], [{ id: made.id }]]);
    expect((await listed(admin)).data).toMatchObject([{ id: second.id }]);
    const bob = await newCaller();
    expect((await listed(bob)).data).toEqual([]);
    expectProblem(await bob.call('DELETE', `${PATH}/${made.id}`), 'not_found');
    for (const by of [admin, ada]) expect((await by.call('DELETE', `${PATH}/${made.id}`)).status).toBe(204);
    expect((await listed(ada, `&cursor=${page.next_cursor}`)).data).toMatchObject([{ id: made.id, revoked_at: expect.any(String) }]);
  });
});
