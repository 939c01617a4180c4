import { sql } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  type DeadLetter, type DeadLetterDetail, deadLetterDetailSchema, deadLetterPageSchema, deadLetterSchema, deadLetterStatsSchema, discardResultSchema, redriveResultSchema,
} from '../../protocol/dead-letters.ts';
import { type Answer, bodyOf, type Caller, expectProblem, newCaller, onPostgres } from '../api-fixture.ts';

const PATH = '/v1/admin/dead-letters';
const REDRIVES = '/v1/admin/dead-letter-redrives';
const DISCARDS = '/v1/admin/dead-letter-discards';

const good = (text = 'hello') => {
  const [id, message_id, actor_id] = [uuidv7(), uuidv7(), uuidv7()];
  return JSON.stringify({ type: 'message.created', seq: 1, id, at: new Date().toISOString(), actor_id, message_id, client_msg_id: 'c1', text, pos: 1, thread_id: null, tpos: null, origin: null });
};

let admin: Caller;
/** Of this test alone: the database is shared. */
let group: string;
beforeEach(async () => {
  admin = await newCaller({ role: 'admin' });
  group = `g-${uuidv7()}`;
});

/** A dead letter as a group would have left it. */
async function newLetter({ key = uuidv7() as string | null, value = 'not json', position = 1, errorClass = 'bad_json' } = {}): Promise<string> {
  const headers = JSON.stringify({ ce_type: 'colink.message.created.v1', log_position: String(position) });
  const [row] = await onPostgres((db) => db.execute<{ id: string }>(sql`
    INSERT INTO dead_letters (stage, group_id, topic, partition, record_offset, record_key, record_value, headers, error_class, error_message, attempts, first_failed_at, last_failed_at)
    VALUES ('consumer', ${group}, 'message.events', 0, '7', convert_to(${key}::text, 'UTF8'), convert_to(${value}::text, 'UTF8'), ${headers}::text::jsonb,
      ${errorClass}, 'it failed', 4, now(), now()) RETURNING id`));
  return row?.id ?? '';
}

const detailOf = (answer: Answer): DeadLetterDetail => bodyOf(answer, 200, deadLetterDetailSchema);
const show = async (id: string): Promise<DeadLetterDetail> => detailOf(await admin.call('GET', `${PATH}/${id}`));
const list = async (query = ''): Promise<{ data: DeadLetter[]; next_cursor: string | null }> => bodyOf(await admin.call('GET', `${PATH}?group=${group}${query}`), 200, deadLetterPageSchema);
const redrive = (body: object, headers = {}) => admin.call('POST', REDRIVES, body, headers);
const edit = (id: string, body: object, version: number) => admin.call('PATCH', `${PATH}/${id}`, body, { 'If-Match': `"${version}"` });

describe('dead letters, for administrators', () => {
  it('are listed page by page, the newest first, by filters', async () => {
    const ids = [await newLetter(), await newLetter({ errorClass: 'TypeError' }), await newLetter()];
    const first = await list('&limit=2');
    expect(first.data.map(({ id }) => id)).toEqual([ids[2], ids[1]]);
    const second = await list(`&limit=2&cursor=${first.next_cursor}`);
    expect(second).toMatchObject({ data: [{ id: ids[0], status: 'pending', group, attempts: 4, value_bytes: 8, edited: false }], next_cursor: null });
    expect((await list('&error_class=TypeError')).data).toMatchObject([{ id: ids[1] }]);
    expect((await list('&status=redriven')).data).toEqual([]);
    expect((await list(`&since=${encodeURIComponent(new Date(Date.now() + 60_000).toISOString())}`)).data).toEqual([]);
    const [stats] = bodyOf(await admin.call('GET', `/v1/admin/dead-letter-stats?group=${group}`), 200, deadLetterStatsSchema).data;
    expect(stats).toMatchObject({ group, topic: 'message.events', error_class: 'bad_json', status: 'pending', letters: 2 });
    expectProblem(await admin.call('GET', `${PATH}?grop=${group}`), 'invalid');
    expectProblem(await admin.call('GET', `${PATH}?cursor=x`), 'bad_cursor');
  });

  it('are shown with what a group would refuse of them, edited by version and schema, and redriven as edited', async () => {
    const id = await newLetter();
    const letter = await show(id);
    expect(letter).toMatchObject({ record: { value: { text: 'not json' } }, faults: ['the value is not UTF-8 JSON'], version: 1, acts: [] });
    expectProblem(await admin.call('PATCH', `${PATH}/${id}`, { value: good(), reason: 'r' }), 'precondition_required');
    expectProblem(await edit(id, { value: '{}', reason: 'r' }, 1), 'invalid');
    expectProblem(await edit(id, { value: good(), reason: 'r' }, 4), 'precondition_failed');
    expectProblem(await edit(uuidv7(), { value: good(), reason: 'r' }, 1), 'not_found');
    const edited = await edit(id, { value: good('repaired'), reason: 'by hand' }, 1);
    expect(bodyOf(edited, 200, deadLetterSchema)).toMatchObject({ id, edited: true, version: 2 });
    expect(await show(id)).toMatchObject({ record: { value: { text: 'not json' } }, redrives: { value: { text: expect.stringContaining('repaired') } }, faults: [], edited: true });
    expect(edited.headers.get('etag')).toBe('"2"');
    expect(bodyOf(await redrive({ ids: [id], reason: 'repaired' }), 200, redriveResultSchema)).toEqual({ ids: [id], remaining: 0, unfit: 0, next_cursor: null });
    expectProblem(await edit(id, { value: good(), reason: 'r' }, 3), 'conflict');
    const parked = await onPostgres((db) => db.execute<{ value: string }>(sql`SELECT convert_from(r.record_value, 'UTF8') AS value FROM parked_records r WHERE r.dead_letter_id = ${id}`));
    expect(parked).toMatchObject([{ value: expect.stringContaining('repaired') }]);
    const actor = `user:${admin.user.id}`;
    expect((await show(id)).acts).toMatchObject([{ act: 'edit', actor, reason: 'by hand', detail: { parts: ['value'], forced: false } }, { act: 'redrive', actor, reason: 'repaired' }]);
  });

  it('are redriven once, however often the request comes, with its key or without (G2)', async () => {
    const id = await newLetter({ value: good() });
    const key = { 'Idempotency-Key': uuidv7() };
    const first = await redrive({ filter: { group } }, key);
    const again = await redrive({ filter: { group } }, key);
    expect([again.body, again.headers.get('idempotency-replayed')]).toEqual([first.body, 'true']);
    expectProblem(await redrive({ filter: { group }, limit: 1 }, key), 'idempotency_mismatch');
    expect(bodyOf(await redrive({ filter: { group } }), 200, redriveResultSchema).ids).toEqual([]);
    expect((await show(id)).acts).toHaveLength(1);
  });

  it('are redriven in the order of the log, a page at a time; those without a place are told', async () => {
    const [late, early, middle] = [await newLetter({ position: 30 }), await newLetter({ position: 10 }), await newLetter({ position: 20 })];
    await newLetter({ key: null });
    expect(bodyOf(await redrive({ filter: { group }, dry_run: true }), 200, redriveResultSchema)).toMatchObject({ ids: [early, middle, late], remaining: 4, unfit: 1 });
    const first = bodyOf(await redrive({ filter: { group }, limit: 2 }), 200, redriveResultSchema);
    expect(first).toMatchObject({ ids: [early, middle], remaining: 2, unfit: 1 });
    expect(bodyOf(await redrive({ filter: { group }, limit: 2, cursor: first.next_cursor }), 200, redriveResultSchema)).toEqual({ ids: [late], remaining: 1, unfit: 1, next_cursor: null });
    expectProblem(await redrive({ filter: { group }, cursor: 'x' }), 'bad_cursor');
  });

  it('are discarded with a reason', async () => {
    const id = await newLetter();
    expectProblem(await admin.call('POST', DISCARDS, { ids: [id] }), 'invalid');
    expectProblem(await admin.call('POST', DISCARDS, { ids: [id], filter: { group }, reason: 'both' }), 'invalid');
    expectProblem(await admin.call('POST', DISCARDS, { reason: 'all of them' }), 'invalid');
    expect(bodyOf(await admin.call('POST', DISCARDS, { ids: [id], reason: 'a test' }), 200, discardResultSchema)).toEqual({ ids: [id], remaining: 0 });
    expect(await show(id)).toMatchObject({ status: 'discarded', acts: [{ act: 'discard', reason: 'a test' }] });
    expect(bodyOf(await redrive({ ids: [id] }), 200, redriveResultSchema).ids).toEqual([]);
  });

  it('are exported in pages that a Link connects', async () => {
    const ids = [await newLetter(), await newLetter(), await newLetter()];
    const first = await admin.call('GET', `/v1/admin/dead-letter-export?group=${group}&limit=2`);
    expect([first.status, first.headers.get('content-type')]).toEqual([200, 'application/jsonl']);
    const next = /<(.+)>; rel="next"/.exec(first.headers.get('link') ?? '')?.[1] ?? '';
    const second = await admin.call('GET', next);
    expect(second.headers.get('link')).toBeNull();
    const lines = `${first.body}${second.body}`.trimEnd().split('\n').map((line) => JSON.parse(line));
    expect(lines).toMatchObject(ids.map((id) => ({ id, record: { value: { text: 'not json' } } })));
  });

  it('are nobody else\'s (G5)', async () => {
    const id = await newLetter();
    for (const role of ['moderator', 'member', 'guest'] as const) {
      const caller = await newCaller({ role });
      for (const path of [PATH, `${PATH}/${id}`, '/v1/admin/dead-letter-stats', '/v1/admin/dead-letter-export']) expectProblem(await caller.call('GET', path), 'forbidden');
      expectProblem(await caller.call('POST', REDRIVES, { ids: [id] }), 'forbidden');
      expectProblem(await caller.call('POST', DISCARDS, { ids: [id], reason: 'r' }), 'forbidden');
      expectProblem(await caller.call('PATCH', `${PATH}/${id}`, { key: 'k', force: true, reason: 'r' }, { 'If-Match': '"1"' }), 'forbidden');
    }
    expect(await show(id)).toMatchObject({ status: 'pending', version: 1, acts: [] });
  });
});
