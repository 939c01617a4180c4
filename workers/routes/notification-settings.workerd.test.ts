import { sql } from 'drizzle-orm';
import { describe, expect, it } from 'vitest';
import { channelNotificationSettingsSchema, notificationSettingsSchema } from '../../protocol/notifications.ts';
import { bodyOf, expectProblem, newCaller, newChannel, onPostgres, type Caller } from '../api-fixture.ts';

const MINE = '/v1/me/notification-settings';
const ofChannel = (id: string): string => `/v1/channels/${id}/notification-settings`;
const patch = (caller: Caller, path: string, body: object, version: number | null, headers: Record<string, string> = {}) =>
  caller.call('PATCH', path, body, { ...(version !== null && { 'If-Match': `"${version}"` }), ...headers });

const quiet_hours = { start_minute: 1_320, end_minute: 420, time_zone: 'Europe/Berlin', weekdays: [1, 2, 7] };

const levelsTold = (userId: string) =>
  onPostgres((db) => db.execute(sql`SELECT e.data ->> 'channel_id' AS channel_id, e.data ->> 'level' AS level FROM event_log e WHERE e.key = ${userId} AND e.type = 'colink.notification_level.updated.v1' ORDER BY e.position`));

describe('what one is notified of', () => {
  it('is the default at first, changes by what a body names, and bears its version as ETag', async () => {
    const ada = await newCaller();
    const before = await ada.call('GET', MINE);
    expect([bodyOf(before, 200, notificationSettingsSchema), before.headers.get('etag')]).toEqual([{ level: 'mentions', keywords: [], quiet_hours: null, version: 0 }, '"0"']);
    const first = await patch(ada, MINE, { keywords: ['Difference Engine', 'tea', 'TEA', 'Straße'], quiet_hours }, 0);
    expect([bodyOf(first, 200, notificationSettingsSchema), first.headers.get('etag')]).toEqual([
      { level: 'mentions', keywords: ['Difference Engine', 'tea', 'Straße'], quiet_hours, version: 1 }, '"1"',
    ]);
    expect((await patch(ada, MINE, { level: 'all' }, 1)).body).toEqual({ level: 'all', keywords: ['Difference Engine', 'tea', 'Straße'], quiet_hours, version: 2 });
    expect((await patch(ada, MINE, { keywords: [], quiet_hours: null }, 2)).body).toEqual({ level: 'all', keywords: [], quiet_hours: null, version: 3 });
    expect((await ada.call('GET', MINE)).body).toEqual({ level: 'all', keywords: [], quiet_hours: null, version: 3 });
    expect(await levelsTold(ada.user.id)).toEqual([{ channel_id: null, level: 'all' }]);
  });

  it('is changed by whoever knows its version, once, and by one of many at a time (G2)', async () => {
    const ada = await newCaller();
    expectProblem(await patch(ada, MINE, { level: 'all' }, null), 'precondition_required');
    expectProblem(await patch(ada, MINE, { level: 'all' }, 1), 'precondition_failed');
    expectProblem(await patch(ada, MINE, { level: 'all' }, null, { 'If-Match': 'w/"0"' }), 'invalid');
    const key = { 'Idempotency-Key': 'k' };
    const [first, again] = [await patch(ada, MINE, { level: 'none' }, 0, key), await patch(ada, MINE, { level: 'none' }, 0, key)];
    expect([first.body, again.body, again.headers.get('idempotency-replayed'), again.headers.get('etag')]).toEqual([{ level: 'none', keywords: [], quiet_hours: null, version: 1 }, first.body, 'true', '"1"']);
    const many = await Promise.all(['a', 'b', 'c', 'd'].map((word) => patch(ada, MINE, { keywords: [word] }, 1)));
    expect(many.map(({ status }) => status).toSorted()).toEqual([200, 412, 412, 412]);
  });

  it('is refused where it is out of bounds (G8)', async () => {
    const ada = await newCaller();
    const bodies = [
      {}, { keywords: Array.from({ length: 51 }, (_, n) => `k${n}`) }, { keywords: ['?'] }, { keywords: ['x'.repeat(51)] }, { level: 'loud' }, { other: 1 },
      { quiet_hours: { ...quiet_hours, time_zone: 'Mars/Base' } }, { quiet_hours: { ...quiet_hours, weekdays: [8] } }, { quiet_hours: { ...quiet_hours, end_minute: 1.5 } },
    ];
    for (const body of bodies) expectProblem(await patch(ada, MINE, body, 0), 'invalid');
    expect((await ada.call('GET', MINE)).body).toMatchObject({ version: 0 });
  });

  it('takes the longest keywords there are, whatever folding makes of them', async () => {
    const ada = await newCaller();
    const widest = ['\u0390', 'ﬃ', 'ß', '\u{1F600}', 'ﷲ', 'e\u0301'].map((character) => character.repeat(50 / character.length).slice(0, 50));
    const answers = await Promise.all(widest.map((keyword) => newCaller().then((one) => patch(one, MINE, { keywords: [keyword] }, 0))));
    // Of pictographs each is a word, and eight may be one keyword.
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 422, 200, 200]);
    expect((await ada.call('GET', MINE)).status).toBe(200);
  });

  it('needs its scope, and a credential that lives (G5)', async () => {
    const reader = await newCaller({ scopes: ['channels:read'] });
    expectProblem(await patch(reader, MINE, { level: 'all' }, 0), 'forbidden');
    const ada = await newCaller();
    await ada.call('GET', MINE);
    await onPostgres((db) => db.execute(sql`UPDATE credentials SET revoked_at = now() WHERE id = ${ada.credentialId}`));
    for (const answer of [await patch(ada, MINE, { level: 'all' }, 0), await ada.call('GET', MINE)]) expectProblem(answer, 'unauthenticated');
  });
});

describe('what one is notified of in a channel', () => {
  it('is as everywhere at first; a mute ends by itself, or is taken back', async () => {
    const ada = await newCaller();
    const path = ofChannel((await newChannel(ada)).id);
    const before = await ada.call('GET', path);
    expect([bodyOf(before, 200, channelNotificationSettingsSchema), before.headers.get('etag')]).toEqual([{ level: null, muted: false, muted_until: null, version: 0 }, '"0"']);
    expect((await patch(ada, path, { muted: true }, 0)).body).toEqual({ level: null, muted: true, muted_until: null, version: 1 });
    const until = new Date(Date.now() + 3_600_000).toISOString();
    expect((await patch(ada, path, { muted: true, muted_until: until, level: 'none' }, 1)).body).toEqual({ level: 'none', muted: true, muted_until: until, version: 2 });
    expect((await patch(ada, path, { level: null }, 2)).body).toEqual({ level: null, muted: true, muted_until: until, version: 3 });
    expect((await patch(ada, path, { muted: true, muted_until: new Date(Date.now() - 1_000).toISOString() }, 3)).body).toEqual({ level: null, muted: false, muted_until: null, version: 4 });
    expect((await patch(ada, path, { muted: false }, 4)).body).toEqual({ level: null, muted: false, muted_until: null, version: 5 });
    expectProblem(await patch(ada, path, { muted: false, muted_until: until }, 5), 'invalid');
    expectProblem(await patch(ada, path, { muted_until: until }, 5), 'invalid');
    expectProblem(await patch(ada, path, { muted: false }, 4), 'precondition_failed');
    expectProblem(await patch(ada, path, { muted: false }, null), 'precondition_required');
    expect(await levelsTold(ada.user.id)).toMatchObject([{ level: 'none' }, { level: null }]);
  });

  it('is for members: others are told no more of the channel than they may know (G5)', async () => {
    const [ada, bob, guest] = [await newCaller(), await newCaller(), await newCaller({ role: 'guest' })];
    const [open, closed] = [await newChannel(ada), await newChannel(ada, 'private')];
    const both = (caller: Caller, id: string) => Promise.all([caller.call('GET', ofChannel(id)), patch(caller, ofChannel(id), { muted: true }, 0)]);
    for (const answer of await both(bob, open.id)) expectProblem(answer, 'not_a_member');
    for (const answer of [...(await both(bob, closed.id)), ...(await both(guest, open.id)), ...(await both(bob, bob.user.id))]) expectProblem(answer, 'not_found');
  });
});
