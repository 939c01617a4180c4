import { sql } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import { beforeAll, describe, expect, it } from 'vitest';
import { AUDITED, type AuditedRoute } from '../../tests/support/audited-routes.ts';
import { findAuditHead } from '../../db/queries/audit.ts';
import { auditHeadSchema, auditPageSchema, type AuditRow } from '../../protocol/audit.ts';
import { ownReportSchema } from '../../protocol/moderation.ts';
import { botSchema } from '../../protocol/credentials.ts';
import { newIncomingWebhookSchema } from '../../protocol/incoming-webhooks.ts';
import { newInvitationSchema } from '../../protocol/invitations.ts';
import { webhookWithSecretSchema } from '../../protocol/webhooks.ts';
import { workspaceSettingsSchema } from '../../protocol/workspace.ts';
import { type Answer, bodyOf, type Caller, drained, expectProblem, fetchApi, newCaller, newChannel, newToken, onPostgres, send } from '../api-fixture.ts';
import { newFile, pictured } from '../file-fixture.ts';

/** Makes what is to be changed, then the one request that changes it. */
type Change = () => Promise<Answer>;

let admin: Caller;
let ada: Caller;
beforeAll(async () => {
  [admin, ada] = [await newCaller({ role: 'admin' }), await newCaller()];
});

const withMember = async () => {
  const [{ id }, member] = [await newChannel(ada), await newCaller()];
  await ada.call('POST', `/v1/channels/${id}/members`, { user_id: member.user.id });
  return { path: `/v1/channels/${id}/members/${member.user.id}`, member, id };
};
const archiving = async (act: string) => ada.call('POST', `/v1/channels/${(await newChannel(ada)).id}/${act}`);
const deactivated = async () => {
  const { user } = await newCaller();
  await admin.call('POST', `/v1/admin/users/${user.id}/deactivate`);
  return `/v1/admin/users/${user.id}`;
};
const bot = async () => bodyOf(await admin.call('POST', '/v1/admin/bots', { handle: `b-${uuidv7().slice(-12)}`, display_name: 'Bot' }), 201, botSchema).user.id;
const WISH = { url: 'https://hook.example/secret-path', event_types: ['message.created'] };
const webhook = async () => `/v1/webhooks/${bodyOf(await ada.call('POST', '/v1/webhooks', WISH), 201, webhookWithSecretSchema).id}`;
const said = async () => {
  const { member, id: channel } = await withMember();
  const { message_id: message, seq } = await send(ada, channel, 'text');
  await drained(channel, seq ?? 0);
  return { member, channel, message };
};
const letter = async (): Promise<string> => {
  const headers = JSON.stringify({ ce_type: 'colink.message.created.v1', log_position: '1' });
  const [row] = await onPostgres((db) => db.execute<{ id: string }>(sql`
    INSERT INTO dead_letters (stage, group_id, topic, partition, record_offset, record_key, record_value, headers, error_class, error_message, attempts, first_failed_at, last_failed_at)
    VALUES ('consumer', ${`g-${uuidv7()}`}, 'message.events', 0, '7', convert_to(${uuidv7()}::text, 'UTF8'), 'x', ${headers}::text::jsonb, 'e', 'e', 4, now(), now()) RETURNING id`));
  return row?.id ?? '';
};

const incoming = async () => `/v1/channels/${(await newChannel(ada)).id}/incoming-webhooks`;
const incomingWebhook = async () => {
  const path = await incoming();
  return `${path}/${bodyOf(await ada.call('POST', path, { name: 'CI' }), 201, newIncomingWebhookSchema).id}`;
};

const CHANGES: Record<AuditedRoute, Change> = {
  'PATCH /v1/channels/{id}': async () => ada.call('PATCH', `/v1/channels/${(await newChannel(ada)).id}`, { topic: 'new' }, { 'If-Match': '"1"' }),
  'POST /v1/invitations': () => admin.call('POST', '/v1/invitations', { role: 'member' }),
  'DELETE /v1/invitations/{id}': async () => admin.call('DELETE', `/v1/invitations/${bodyOf(await admin.call('POST', '/v1/invitations', { role: 'member' }), 201, newInvitationSchema).id}`),
  'POST /v1/channels/{id}/archive': () => archiving('archive'),
  'POST /v1/channels/{id}/unarchive': async () => {
    const { id } = await newChannel(ada);
    await ada.call('POST', `/v1/channels/${id}/archive`);
    return ada.call('POST', `/v1/channels/${id}/unarchive`);
  },
  'POST /v1/channels/{id}/members': async () => ada.call('POST', `/v1/channels/${(await newChannel(ada)).id}/members`, { user_id: admin.user.id }),
  'PATCH /v1/channels/{id}/members/{user_id}': async () => ada.call('PATCH', (await withMember()).path, { role: 'admin' }),
  'DELETE /v1/channels/{id}/members/{user_id}': async () => ada.call('DELETE', (await withMember()).path),
  'DELETE /v1/files/{id}': async () => {
    const { member, id } = await withMember();
    return ada.call('DELETE', `/v1/files/${(await newFile(member, id)).id}`);
  },
  'DELETE /v1/me/credentials/{id}': async () => ada.call('DELETE', `/v1/me/credentials/${(await newToken(ada.user)).credentialId}`),
  'POST /v1/me/revoke-others': async () => {
    await newToken(ada.user, { kind: 'session' });
    return ada.call('POST', '/v1/me/revoke-others', {});
  },
  'POST /v1/me/tokens': () => ada.call('POST', '/v1/me/tokens', { name: 'ci' }),
  'POST /v1/admin/bots': () => admin.call('POST', '/v1/admin/bots', { handle: `b-${uuidv7().slice(-12)}`, display_name: 'Bot' }),
  'POST /v1/admin/bots/{id}/tokens': async () => admin.call('POST', `/v1/admin/bots/${await bot()}/tokens`, { name: 'ci' }),
  'POST /v1/admin/users/{id}/deactivate': async () => admin.call('POST', `/v1/admin/users/${(await newCaller()).user.id}/deactivate`),
  'POST /v1/admin/users/{id}/reactivate': async () => admin.call('POST', `${await deactivated()}/reactivate`),
  'POST /v1/admin/users/{id}/redact': async () => admin.call('POST', `${await deactivated()}/redact`),
  'DELETE /v1/users/{id}/avatar': async () => {
    const who = await newCaller();
    await pictured(who, (await newChannel(who)).id);
    return admin.call('DELETE', `/v1/users/${who.user.id}/avatar`);
  },
  'PUT /v1/admin/users/{id}/role': async () => admin.call('PUT', `/v1/admin/users/${(await newCaller()).user.id}/role`, { role: 'moderator' }),
  'PATCH /v1/admin/settings': async () => {
    const { version } = bodyOf(await admin.call('GET', '/v1/admin/settings'), 200, workspaceSettingsSchema);
    return admin.call('PATCH', '/v1/admin/settings', { edit_window_seconds: 900 }, { 'If-Match': `"${version}"` });
  },
  'POST /v1/admin/restart-announcements': () => admin.call('POST', '/v1/admin/restart-announcements', { within_seconds: 1 }),
  'PATCH /v1/admin/dead-letters/{id}': async () => admin.call('PATCH', `/v1/admin/dead-letters/${await letter()}`, { value: 'y', force: true, reason: 'r' }, { 'If-Match': '"1"' }),
  'POST /v1/admin/dead-letter-redrives': async () => admin.call('POST', '/v1/admin/dead-letter-redrives', { ids: [await letter()] }),
  'POST /v1/admin/dead-letter-discards': async () => admin.call('POST', '/v1/admin/dead-letter-discards', { ids: [await letter()], reason: 'r' }),
  'POST /v1/channels/{id}/incoming-webhooks': async () => ada.call('POST', await incoming(), { name: 'CI' }),
  'DELETE /v1/channels/{id}/incoming-webhooks/{webhook_id}': async () => ada.call('DELETE', await incomingWebhook()),
  'POST /v1/channels/{id}/incoming-webhooks/{webhook_id}/rotate-secret': async () => ada.call('POST', `${await incomingWebhook()}/rotate-secret`),
  'POST /v1/webhooks': () => ada.call('POST', '/v1/webhooks', WISH),
  'PATCH /v1/webhooks/{id}': async () => ada.call('PATCH', await webhook(), { state: 'disabled' }, { 'If-Match': '"1"' }),
  'DELETE /v1/webhooks/{id}': async () => ada.call('DELETE', await webhook()),
  'POST /v1/admin/messages/{message_id}/remove': async () => admin.call('POST', `/v1/admin/messages/${(await said()).message}/remove`, { reason: 'r' }),
  'POST /v1/admin/reports/{id}/resolve': async () => {
    const { member, channel, message } = await said();
    const { id } = bodyOf(await member.call('POST', `/v1/channels/${channel}/messages/${message}/reports`, { reason: 'spam' }), 201, ownReportSchema);
    return admin.call('POST', `/v1/admin/reports/${id}/resolve`, { action: 'dismiss' });
  },
  'POST /v1/webhooks/{id}/rotate-secret': async () => ada.call('POST', `${await webhook()}/rotate-secret`),
};

const list = async (query = ''): Promise<AuditRow[]> => bodyOf(await admin.call('GET', `/v1/admin/audit${query}`), 200, auditPageSchema).data;
/** What this request has written. */
const writtenBy = async (answer: Answer): Promise<AuditRow[]> => (await list('?limit=100')).filter(({ request_id }) => request_id === answer.headers.get('x-request-id'));

describe('a change writes who did what into the audit log', () => {
  it.each(Object.entries(CHANGES))('%s', async (route, change) => {
    const answer = await change();
    expect(answer.status).toBeLessThan(300);
    const rows = await writtenBy(answer);
    const by = [admin, ada].find(({ user }) => user.id === rows[0]?.actor_id);
    expect(rows).toMatchObject([{ act: AUDITED[route as AuditedRoute], actor_id: by?.user.id, actor_name: null, credential_id: by?.credentialId }]);
    expect(JSON.stringify(rows)).not.toMatch(/secret-path|whsec_|colink_pat|colink_hook/);
  });

  it('once, however often it is repeated under its key, and not where nothing changed or it was refused (G2)', async () => {
    const [{ user }, key] = [await newCaller(), { 'Idempotency-Key': uuidv7() }];
    const promote = (by: Caller, headers = {}) => by.call('PUT', `/v1/admin/users/${user.id}/role`, { role: 'moderator' }, headers);
    expectProblem(await promote(ada), 'forbidden');
    for (let n = 0; n < 2; n++) expect((await promote(admin, key)).status).toBe(200);
    expect((await promote(admin)).status).toBe(200);
    expect((await list(`?target=${user.id}`)).map(({ act, details }) => [act, details])).toEqual([['user.role_changed', '{"from":"member","to":"moderator"}']]);
  });

  it('also of who signs out', async () => {
    const { credentialId, token, user } = await newToken(ada.user);
    await fetchApi('/auth/logout', { method: 'POST', headers: { Authorization: `Bearer ${token}` } });
    expect(await list(`?target=${credentialId}`)).toMatchObject([{ act: 'credential.revoked', actor_id: user.id }]);
  });
});

describe('the audit log', () => {
  it('is for administrators', async () => {
    for (const path of ['/v1/admin/audit', '/v1/admin/audit/head']) {
      expectProblem(await ada.call('GET', path), 'forbidden');
      expectProblem(await (await newToken(admin.user, { scopes: ['messages:read'] })).call('GET', path), 'forbidden');
    }
  });

  it('is read page by page, the newest first, by filters, and names its head', async () => {
    const { user } = await newCaller();
    for (const role of ['guest', 'moderator', 'member']) await admin.call('PUT', `/v1/admin/users/${user.id}/role`, { role });
    const page = bodyOf(await admin.call('GET', `/v1/admin/audit?target=${user.id}&limit=2`), 200, auditPageSchema);
    expect(page.data.map(({ details }) => JSON.parse(details).to)).toEqual(['member', 'moderator']);
    const rest = bodyOf(await admin.call('GET', `/v1/admin/audit?target=${user.id}&limit=2&cursor=${page.next_cursor}`), 200, auditPageSchema);
    expect([rest.data.length, rest.next_cursor]).toEqual([1, null]);
    expect(await list(`?target=${user.id}&act=bot.created`)).toEqual([]);
    expect(await list(`?target=${user.id}&actor=${ada.user.id}`)).toEqual([]);
    expectProblem(await admin.call('GET', '/v1/admin/audit?act=nonsense'), 'invalid');
    expectProblem(await admin.call('GET', '/v1/admin/audit?cursor=x'), 'bad_cursor');
    const head = bodyOf(await admin.call('GET', '/v1/admin/audit/head'), 200, auditHeadSchema);
    expect(head.seq).toBeLessThanOrEqual((await onPostgres(findAuditHead)).seq);
  });
});
