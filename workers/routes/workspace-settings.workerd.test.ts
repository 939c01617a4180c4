import { runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { sql } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { commandResultSchema } from '../../protocol/frames.ts';
import { workspaceSettingsSchema } from '../../protocol/workspace.ts';
import { bodyOf, expectProblem, newCaller, newChannel, onPostgres, send, type Caller } from '../api-fixture.ts';

const PATH = '/v1/admin/settings';
let admin: Caller;
let ada: Caller;
beforeAll(async () => {
  [admin, ada] = [await newCaller({ role: 'admin' }), await newCaller()];
});
afterEach(() => onPostgres((db) => db.execute(sql`UPDATE workspace_settings SET edit_window_seconds = 900`)));

const read = async () => bodyOf(await admin.call('GET', PATH), 200, workspaceSettingsSchema);
const change = (caller: Caller, version: number, body: object, key?: string) =>
  caller.call('PATCH', PATH, body, { 'If-Match': `"${version}"`, ...(key !== undefined && { 'Idempotency-Key': key }) });

// There is one row of settings, which a test of another file may change between two steps: such a step is refused by its version, and the test begun anew.
describe('the settings of the workspace', { retry: 3 }, () => {
  it('are read and changed by administrators, as of a version', async () => {
    const key = uuidv7();
    const answer = await admin.call('GET', PATH);
    const { version, edit_window_seconds } = bodyOf(answer, 200, workspaceSettingsSchema);
    expect([answer.headers.get('etag'), edit_window_seconds]).toEqual([`"${version}"`, 900]);
    const changed = await change(admin, version, { edit_window_seconds: 1_000 }, key);
    expect([changed.headers.get('etag'), changed.body]).toEqual([`"${version + 1}"`, { edit_window_seconds: 1_000, version: version + 1 }]);
    // G2: under its key it is done once.
    expect((await change(admin, version, { edit_window_seconds: 1_000 }, key)).body).toEqual(changed.body);
    expectProblem(await change(admin, version, { edit_window_seconds: 2_000 }), 'precondition_failed');
    expect(bodyOf(await change(admin, version + 1, {}), 200, workspaceSettingsSchema).edit_window_seconds).toBe(1_000);
    expect(bodyOf(await change(admin, version + 2, { edit_window_seconds: null }), 200, workspaceSettingsSchema)).toEqual(await read());
  });

  it('are of administrators alone, and need a version (G5)', async () => {
    const moderator = await newCaller({ role: 'moderator' });
    for (const caller of [ada, moderator]) {
      expectProblem(await caller.call('GET', PATH), 'forbidden');
      expectProblem(await change(caller, 0, { edit_window_seconds: 1 }), 'forbidden');
    }
    expectProblem(await admin.call('PATCH', PATH, { edit_window_seconds: 1 }), 'precondition_required');
    for (const edit_window_seconds of [-1, 1.5, '900', 2 ** 40]) expectProblem(await change(admin, 0, { edit_window_seconds }), 'invalid');
    expectProblem(await change(admin, 0, { edit_windows: 1 }), 'invalid');
  });

  it('reach a room that has not asked for a minute', async () => {
    await change(admin, (await read()).version, { edit_window_seconds: 800 });
    const { id } = await newChannel(ada);
    const { message_id } = await send(ada, id, 'x');
    // As if sent 850 s ago.
    await runInDurableObject(env.ROOMS.getByName(id), (_, state) => void state.storage.sql.exec('UPDATE messages SET at = at - 850000'));
    expectProblem(await ada.call('PATCH', `/v1/channels/${id}/messages/${message_id}`, { text: 'y' }), 'edit_window_over');
    const young = await send(ada, id, 'x');
    expect(bodyOf(await ada.call('PATCH', `/v1/channels/${id}/messages/${young.message_id}`, { text: 'y' }), 200, commandResultSchema).changed).toBe(true);
  });
});
