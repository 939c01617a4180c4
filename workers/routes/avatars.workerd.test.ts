import { env } from 'cloudflare:workers';
import { sql } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import { beforeEach, describe, expect, it } from 'vitest';
import { noticeOf, telling } from '../../durable-objects/user-inbox/inbox-fixture.ts';
import { type Profile, profileSchema } from '../../protocol/api.ts';
import { directoryEventSchema } from '../../protocol/directory-events.ts';
import { soon } from '../../tests/support/soon.ts';
import { bodyOf, type Caller, drained, expectProblem, newCaller, newChannel, onPostgres, send } from '../api-fixture.ts';
import { addThumbnails, fetchWith, getFile, newFile, newMember, PNG, pictured, setStatus } from '../file-fixture.ts';

let ada: Caller;
let bob: Caller;
let channel: string;
beforeEach(async () => {
  [ada, bob] = [await newCaller(), await newCaller()];
  ({ id: channel } = await newChannel(ada));
});

const pathOf = ({ user }: Caller): string => `/v1/users/${user.id}/avatar`;
const urlOf = (who: Caller, fileId: string): string => `${pathOf(who)}?v=${fileId}`;
const set = (who: Caller, fileId: string, headers: Record<string, string> = {}) => who.call('PUT', '/v1/me/avatar', { file_id: fileId }, headers);
const image = (who: Caller, channelId = channel) => newFile(who, channelId, PNG, { name: 'me.png', type: 'image/png' });
const profileOf = async (by: Caller, who: Caller): Promise<Profile> => bodyOf(await by.call('GET', `/v1/users/${who.user.id}`), 200, profileSchema);
const avatarOf = async (who: Caller) => (await profileOf(who, who)).avatar;
/** The versions that the outbox tells of somebody, each with what is said of them. */
const updates = async ({ user }: Caller) => {
  const rows = await onPostgres((db) => db.execute<{ data: unknown }>(sql`SELECT data FROM event_log WHERE key = ${user.id} AND type = 'colink.user.updated.v1' ORDER BY position`));
  return rows.map(({ data }) => directoryEventSchema.parse(data)).flatMap((event) => (event.type === 'user.updated' ? [[event.actor_id, event.version]] : []));
};

describe('a picture', () => {
  it('is a file of one\'s own, set and taken away again, told in the outbox each time, and seen by others at once (G2)', async () => {
    const [first, second] = [await image(ada), await image(ada)];
    for (const file of [first, second]) await addThumbnails(file, [160]);
    const key = { 'Idempotency-Key': uuidv7() };
    const before = await profileOf(bob, ada);
    expect(before.avatar).toBeNull();
    const answer = await set(ada, first.id, key);
    const after = { ...before, avatar: { file_id: first.id, url: urlOf(ada, first.id) }, version: 2 };
    expect([answer.headers.get('etag'), bodyOf(answer, 200, profileSchema)]).toEqual(['"2"', after]);
    expect(await profileOf(bob, ada)).toEqual(after);
    expect((await set(ada, second.id)).body).toMatchObject({ avatar: { file_id: second.id }, version: 3 });
    expect((await set(ada, first.id, key)).headers.get('idempotency-replayed')).toBe('true');
    expect((await set(ada, second.id)).body).toMatchObject({ avatar: { file_id: second.id }, version: 3 });
    for (let n = 0; n < 2; n++) expect((await ada.call('DELETE', '/v1/me/avatar')).status).toBe(204);
    expect(await profileOf(bob, ada)).toEqual({ ...before, version: 4 });
    expect(await updates(ada)).toEqual([2, 3, 4].map((version) => [ada.user.id, version]));
    expect((await getFile(ada, `/v1/files/${first.id}`)).status).toBe(200);
  });

  it('is none in an answer that was kept before there were pictures, as a release before this one kept it (G2)', async () => {
    const file = await image(ada);
    await addThumbnails(file, [160]);
    const key = { 'Idempotency-Key': uuidv7() };
    const first = bodyOf(await set(ada, file.id, key), 200, profileSchema);
    const kept = sql`user_id = ${ada.user.id} AND key = ${key['Idempotency-Key']}`;
    const cut = await onPostgres((db) => db.execute(sql`UPDATE idempotency_keys SET body = (body::jsonb - 'avatar')::text WHERE ${kept} AND body::jsonb ? 'avatar' RETURNING key`));
    expect(cut).toHaveLength(1);
    const again = await set(ada, file.id, key);
    expect([again.headers.get('idempotency-replayed'), bodyOf(again, 200, profileSchema)]).toEqual(['true', { ...first, avatar: null }]);
  });

  it('is none of what is not there, not one\'s own, not scanned, infected, or no image that there are thumbnails of', async () => {
    const file = await image(ada);
    await newMember(ada, channel);
    const pending = await set(ada, file.id);
    expectProblem(pending, 'file_not_clean');
    expect(pending.headers.get('retry-after')).toBe('2');
    await setStatus(file, 'infected', [{ size: 160, width: 1, height: 1 }]);
    expectProblem(await set(ada, file.id), 'file_infected');
    await setStatus(file, 'clean');
    const refused = async (who: Caller, id: string) => ((await set(who, id)).body as { errors?: { detail: string }[] }).errors?.[0]?.detail;
    expect(await refused(ada, file.id)).toContain('too large, broken');
    const text = await newFile(ada, channel);
    await setStatus(text, 'clean');
    expect(await refused(ada, text.id)).toBe('is not an image');
    await addThumbnails(file, [160]);
    const theirs = await newMember(ada, channel, 'admin');
    expectProblem(await set(theirs, file.id), 'not_found');
    for (const none of [uuidv7(), file.channel_id]) expectProblem(await set(ada, none), 'not_found');
    for (const body of [{}, { file_id: 'x' }, { file_id: null }, { file_id: file.id, more: 1 }]) expectProblem(await ada.call('PUT', '/v1/me/avatar', body), 'invalid');
    await ada.call('DELETE', `/v1/files/${file.id}`);
    expectProblem(await set(ada, file.id), 'not_found');
    expect([await avatarOf(ada), await updates(ada)]).toEqual([null, []]);
  });

  it('comes as the thumbnail of its size, is kept by browsers under its own address alone, and runs nowhere', async () => {
    const file = await pictured(ada, channel);
    const fetched = async (query: string, headers: Record<string, string> = {}) => getFile(bob, `${pathOf(ada)}${query}`, headers);
    for (const [query, size] of [['', 160], [`?v=${file.id}`, 160], ['?size=480', 480], [`?v=${file.id}&size=480`, 480]] as const) {
      const picture = await fetched(query);
      expect([query, picture.status, await picture.text()]).toEqual([query, 200, `${file.id} ${size}`]);
      expect(Object.fromEntries(picture.headers)).toMatchObject({
        'content-type': 'image/webp', etag: `"${file.sha256}-${size}"`, 'x-content-type-options': 'nosniff', 'cross-origin-resource-policy': 'same-origin',
        'content-security-policy': expect.stringContaining('sandbox'), 'cache-control': query.includes('v=') ? 'private, max-age=604800, immutable' : 'private, no-cache',
      });
    }
    for (const other of [`?v=${uuidv7()}`, '?v=x']) expect((await fetched(other)).headers.get('cache-control')).toBe('private, no-cache');
    const known = await fetched(`?v=${file.id}`, { 'If-None-Match': `"${file.sha256}-160"` });
    expect([known.status, known.headers.get('cache-control'), await known.text()]).toEqual([304, 'private, max-age=604800, immutable', '']);
    for (const size of ['64', 'x', '1280']) expectProblem(await bob.call('GET', `${pathOf(ada)}?size=${size}`), 'invalid');
    await pictured(ada, channel, [160]);
    const small = await fetched('?size=480');
    expect(await small.text()).toMatch(/ 160$/);
    expect((await fetchWith({}, pathOf(ada))).status).toBe(401);
  });

  it('is seen by who may know of the user, wherever they were given it, and guests know of those of their channels (G5)', async () => {
    const { id: hidden } = await newChannel(ada, 'private');
    const file = await pictured(ada, hidden);
    const guest = await newCaller({ role: 'guest' });
    expect((await getFile(bob, pathOf(ada))).status).toBe(200);
    expectProblem(await bob.call('GET', `/v1/files/${file.id}/thumbnails/160`), 'not_found');
    expectProblem(await guest.call('GET', pathOf(ada)), 'not_found');
    await ada.call('POST', `/v1/channels/${channel}/members`, { user_id: guest.user.id });
    expect((await getFile(guest, pathOf(ada))).status).toBe(200);
    await ada.call('DELETE', `/v1/channels/${channel}/members/${guest.user.id}`);
    expectProblem(await guest.call('GET', urlOf(ada, file.id)), 'not_found');
    for (const none of [bob.user.id, uuidv7(), 'x']) expectProblem(await ada.call('GET', `/v1/users/${none}/avatar`), 'not_found');
  });

  it('is not served once its file is infected, or scanned no more', async () => {
    const file = await pictured(ada, channel);
    for (const status of ['infected', 'pending_scan'] as const) {
      await setStatus(file, status, [{ size: 160, width: 1, height: 1 }]);
      expectProblem(await bob.call('GET', urlOf(ada, file.id)), 'not_found');
    }
  });
});

describe('a picture is gone', () => {
  it('with its file, by whomever that is deleted, in one with it', async () => {
    const admin = await newMember(ada, channel, 'admin');
    const member = await newMember(ada, channel);
    const [kept, file] = [await image(member), await pictured(member, channel)];
    await admin.call('DELETE', `/v1/files/${kept.id}`);
    expect((await avatarOf(member))?.file_id).toBe(file.id);
    expect((await admin.call('DELETE', `/v1/files/${file.id}`)).status).toBe(204);
    expect(await profileOf(bob, member)).toMatchObject({ avatar: null, version: 3 });
    expect(await updates(member)).toEqual([[member.user.id, 2], [admin.user.id, 3]]);
    expectProblem(await bob.call('GET', pathOf(member)), 'not_found');
  });

  it('by an administrator, and by nobody else but its user', async () => {
    const file = await pictured(ada, channel);
    const admin = await newCaller({ role: 'admin' });
    for (const role of ['member', 'guest', 'moderator'] as const) expectProblem(await (await newCaller({ role })).call('DELETE', pathOf(ada)), 'forbidden');
    expectProblem(await ada.call('DELETE', pathOf(ada)), 'forbidden');
    expectProblem(await admin.call('DELETE', `/v1/users/${uuidv7()}/avatar`), 'not_found');
    for (let n = 0; n < 2; n++) expect((await admin.call('DELETE', pathOf(ada))).status).toBe(204);
    expect(await profileOf(bob, ada)).toMatchObject({ avatar: null, version: 3 });
    const audited = await onPostgres((db) => db.execute(sql`SELECT act, actor_id, details::text AS details FROM audit_log WHERE target_id = ${ada.user.id}`));
    expect([...audited]).toEqual([{ act: 'user.avatar_removed', actor_id: admin.user.id, details: JSON.stringify({ file_id: file.id }) }]);
    expect((await getFile(ada, `/v1/files/${file.id}`)).status).toBe(200);
  });

  it('at once where the user\'s messages are to be deleted; a deactivated one keeps it until then', async () => {
    await pictured(ada, channel);
    const admin = await newCaller({ role: 'admin' });
    await admin.call('POST', `/v1/admin/users/${ada.user.id}/deactivate`);
    expect((await getFile(bob, pathOf(ada))).status).toBe(200);
    expect((await admin.call('POST', `/v1/admin/users/${ada.user.id}/redact`)).status).toBe(202);
    expect(await profileOf(bob, ada)).toMatchObject({ avatar: null, deactivated: true });
    expectProblem(await bob.call('GET', pathOf(ada)), 'not_found');
  });
});

/** What an answer says of a user, wherever in it. */
function told(body: unknown, userId: string): unknown[] {
  if (typeof body !== 'object' || body === null) return [];
  const inside = Object.values(body).flatMap((value) => told(value, userId));
  return 'display_name' in body && 'id' in body && body.id === userId ? [body, ...inside] : inside;
}

it('every answer that tells who somebody is has their picture', async () => {
  await ada.call('POST', `/v1/channels/${channel}/members`, { user_id: bob.user.id });
  const avatar = { file_id: (await pictured(ada, channel)).id, url: expect.stringContaining(pathOf(ada)) };
  const word = `w${uuidv7().slice(-12)}`;
  const { message_id: root, seq, pos } = await send(ada, channel, word);
  await env.INBOXES.getByName(bob.user.id).tell(bob.user.id, telling({ notices: [noticeOf(channel, seq ?? 0, { message_id: root, author_id: ada.user.id, pos, role: 'member', version: 1 })] }));
  await bob.call('PUT', `/v1/channels/${channel}/messages/${root}/pin`);
  const reply = await send(bob, channel, 'a reply', { thread_id: root });
  await drained(channel, reply.seq ?? 0);
  await bob.call('PUT', `/v1/me/saved/${root}`);
  expect((await bob.call('POST', '/v1/direct-channels', { user_ids: [ada.user.id] })).status).toBe(201);
  const file = await newFile(ada, channel, 'text', { name: `${word}.txt` });
  await setStatus(file, 'clean');
  await onPostgres(async (db) => {
    await db.execute(sql`INSERT INTO search_messages (id, channel_id, author_id, seq, text) SELECT m.id, m.channel_id, m.author_id, m.seq, m.text FROM messages m WHERE m.id = ${root}`);
    await db.execute(sql`INSERT INTO search_files (id, channel_id, uploader_id, name, version) VALUES (${file.id}, ${channel}, ${ada.user.id}, ${file.name}, 1)`);
    await db.execute(sql`INSERT INTO search_people (id, handle, display_name, version, deactivated) VALUES (${ada.user.id}, ${ada.user.handle}, ${ada.user.display_name}, 1, false)`);
  });
  const paths = [
    `/v1/users/${ada.user.id}`, `/v1/users?q=${ada.user.handle}`, '/v1/bootstrap', `/v1/channels/${channel}/members`, `/v1/channels/${channel}/messages`, `/v1/channels/${channel}/pins`, '/v1/me/saved',
    '/v1/me/threads', '/v1/direct-channels', '/v1/me/notifications', `/v1/search/messages?q=${word}`, `/v1/search/files?q=${word}`, `/v1/search/people?q=${ada.user.handle}`,
  ];
  const read = async (path: string) => ({ path, told: told((await bob.call('GET', path)).body, ada.user.id) });
  await soon(async () => expect((await read('/v1/me/notifications')).told).toHaveLength(1));
  for (const path of paths) expect(await read(path)).toEqual({ path, told: [expect.objectContaining({ avatar })] });
  for (const path of ['/v1/me', '/v1/bootstrap']) expect(told((await ada.call('GET', path)).body, ada.user.id)).toContainEqual(expect.objectContaining({ avatar }));
  const admin = await newCaller({ role: 'admin' });
  expect((await admin.call('PUT', `/v1/admin/users/${ada.user.id}/role`, { role: 'moderator' })).body).toMatchObject({ avatar });
});
