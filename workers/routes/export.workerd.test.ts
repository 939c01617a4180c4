import { createHash } from 'node:crypto';
import { getTableColumns, sql } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { files } from '../../db/schema/file-tables.ts';
import { channels, members, messages, users } from '../../db/schema/tables.ts';
import { auditPageSchema } from '../../protocol/audit.ts';
import { EXPORT_SECTIONS, exportLineSchema, NO_EXPORT_HASH } from '../../protocol/export.ts';
import { bodyOf, type Caller, drained, expectProblem, newCaller, newChannel, newToken, onPostgres, send } from '../api-fixture.ts';
import { newFile } from '../file-fixture.ts';
import { announcePreviews } from '../preview-fixture.ts';

let admin: Caller;
let ada: Caller;
let open: string;
let secret: string;
beforeAll(async () => {
  [admin, ada] = [await newCaller({ role: 'admin' }), await newCaller()];
  [open, secret] = [(await newChannel(ada)).id, (await newChannel(ada, 'private')).id];
  for (const channel of [open, secret]) await drained(channel, (await send(ada, channel, `in ${channel}`)).seq ?? 0);
});

type Line = z.infer<typeof exportLineSchema>;
interface Part {
  readonly lines: readonly Line[];
  readonly cursor: string | null;
}

async function part(query = '', by = admin): Promise<Part> {
  const answer = await by.call('GET', `/v1/admin/export${query}`);
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/jsonl']);
  const lines = z.string().parse(answer.body).trimEnd().split('\n').map((line) => exportLineSchema.parse(JSON.parse(line)));
  return { lines, cursor: lines.findLast((line) => line.section === 'checkpoint')?.cursor ?? null };
}

const idsOf = (lines: readonly Line[], name: string, key = 'id'): unknown[] => lines.flatMap((line) => (line.section === name && 'data' in line ? [line.data[key]] : []));
const exportsOf = async () => bodyOf(await admin.call('GET', '/v1/admin/audit?act=export.started&limit=100'), 200, auditPageSchema).data;

describe('an export', () => {
  it('has everything public, each once, in sections, and says how much and by which hash', async () => {
    const text = z.string().parse((await admin.call('GET', '/v1/admin/export')).body);
    const lines = text.trimEnd().split('\n').map((line) => exportLineSchema.parse(JSON.parse(line)));
    const end = lines.at(-1);
    expect(end).toMatchObject({ section: 'end' });
    const pages = text.split(/(?<=\{"section":"(?:checkpoint|end)".*\n)/);
    const hash = pages.reduce((before, page) => createHash('sha256').update(before + page.replace(/\{"section":"(?:checkpoint|end)".*\n$/, '')).digest('hex'), NO_EXPORT_HASH);
    expect(end).toMatchObject({ sha256: hash, counts: Object.fromEntries(EXPORT_SECTIONS.map((name) => [name, idsOf(lines, name).length])) });
    expect(idsOf(lines, 'channel')).toContain(open);
    expect(idsOf(lines, 'message', 'text')).toContain(`in ${open}`);
    expect(idsOf(lines, 'user')).toEqual(expect.arrayContaining([ada.user.id, admin.user.id]));
    expect(new Set(idsOf(lines, 'message')).size).toBe(idsOf(lines, 'message').length);
    expect(text).not.toMatch(new RegExp(`${secret}|secret_hash|colink_pat`));
  });

  it('has every column of its tables, but those that count changes, are personal, or are said by something else that is there', async () => {
    await newFile(ada, open);
    const { lines } = await part();
    const leftOf = (section: string, columns: object): string[] => {
      const line = lines.find((each) => each.section === section);
      return Object.keys(columns).filter((column) => line === undefined || !('data' in line) || !(column in line.data));
    };
    expect(leftOf('channel', getTableColumns(channels))).toEqual(['version', 'members_version', 'direct_user_ids']);
    expect(leftOf('member', getTableColumns(members))).toEqual(['version', 'closed_pos', 'joined_pos']);
    expect(leftOf('message', getTableColumns(messages))).toEqual([]);
    expect(leftOf('file', getTableColumns(files))).toEqual(['thumbnails', 'version', 'purged_at']);
    expect(leftOf('user', getTableColumns(users))).toEqual(['version', 'is_self_named', 'is_admitted']);
  });

  it('has edits, tombstones, threads, reactions and files as they are', async () => {
    const { id } = await newChannel(ada);
    const root = await send(ada, id, 'root');
    const reply = await send(ada, id, 'reply', { thread_id: root.message_id });
    const gone = await send(ada, id, 'gone');
    const path = `/v1/channels/${id}/messages`;
    await ada.call('PATCH', `${path}/${root.message_id}`, { text: 'the root' });
    await ada.call('PUT', `${path}/${root.message_id}/reactions/👍`);
    await ada.call('PUT', `${path}/${root.message_id}/pin`);
    const previews = [{ url: 'https://page.example/', title: 'A page', description: null, site_name: 'Pages' }];
    await announcePreviews(id, [{ message_id: root.message_id, revision: 2, previews }]);
    const file = await newFile(ada, id);
    const last = (await ada.call('DELETE', `${path}/${gone.message_id}`)).body as { seq: number };
    await drained(id, last.seq);
    const { lines } = await part();
    const message = (wanted: string) => lines.find((line) => line.section === 'message' && 'data' in line && line.data['id'] === wanted);
    expect(message(root.message_id)).toMatchObject({ data: { text: 'the root', revision: 2, edited_at: expect.any(String), thread_id: null, previews } });
    expect(message(reply.message_id)).toMatchObject({ data: { thread_id: root.message_id, tpos: 1, previews: [] } });
    expect(message(gone.message_id)).toMatchObject({ data: { text: '', deleted_at: expect.any(String) } });
    expect(lines).toContainEqual({ section: 'revision', data: { message_id: root.message_id, revision: 1, text: 'root', written_at: expect.any(String) } });
    expect(lines).toContainEqual({ section: 'pin', data: { message_id: root.message_id, channel_id: id, pinned_by: ada.user.id, pinned_at: expect.any(String) } });
    expect(lines).toContainEqual({ section: 'reaction', data: { message_id: root.message_id, emoji: '👍', user_id: ada.user.id } });
    expect(lines).toContainEqual({ section: 'file', data: expect.objectContaining({ id: file.id, channel_id: id, content: `/v1/files/${file.id}/content` }) });
  });

  it('has what is private where that is asked for, which is audited, and cannot be had by a cursor', async () => {
    const before = (await exportsOf()).length;
    const { lines, cursor } = await part('?include=private');
    expect(idsOf(lines, 'channel')).toContain(secret);
    expect(idsOf(lines, 'message', 'text')).toContain(`in ${secret}`);
    await part(`?after=${cursor}`);
    const started = await exportsOf();
    expect([started.length - before, started[0]?.details, started[0]?.actor_id]).toEqual([1, '{"include_private":true}', admin.user.id]);
    expectProblem(await admin.call('GET', `/v1/admin/export?include=private&after=${cursor}`), 'invalid');
  });

  it('that is gone on with behind a checkpoint has the rest, each line once, and nothing that came since (G2)', async () => {
    const whole = await part();
    const [first] = whole.lines.flatMap((line, n) => (line.section === 'checkpoint' && line.counts.channel > 0 ? [{ n, cursor: line.cursor }] : []));
    const { seq, message_id } = await send(ada, open, 'later');
    await drained(open, seq ?? 0);
    const rest = await part(`?after=${first?.cursor}`);
    expect(idsOf([...whole.lines.slice(0, first?.n), ...rest.lines], 'message')).toEqual(idsOf(whole.lines, 'message'));
    expect(idsOf(rest.lines, 'message')).not.toContain(message_id);
    expect(rest.lines.at(-1)).toMatchObject({ section: 'end', counts: { message: idsOf(whole.lines, 'message').length } });
  });

  it('is gone on with from the key of a row, and from nothing else that somebody writes into a cursor', async () => {
    const { cursor } = await part();
    const [list, place] = Buffer.from(cursor ?? '', 'base64url').toString().split('\n');
    const at = (section: number, after: string): string => Buffer.from(`${list}\n${JSON.stringify({ ...(JSON.parse(place ?? '') as object), section, after })}`).toString('base64url');
    const id = uuidv7();
    const KEYS = [id, `${id} ${id}`, id, `${id} 1`, `${id} \u{1f44d} ${id}`, id, id, id];
    for (const [section, key] of KEYS.entries()) {
      expect((await admin.call('GET', `/v1/admin/export?after=${at(section, key)}`)).status).toBe(200);
      for (const none of ['1', "x'", '\u0000', `${key} ${id}`, `${id} 9999999999`, `${id} \u0000 ${id}`, id.toUpperCase()]) expectProblem(await admin.call('GET', `/v1/admin/export?after=${at(section, none)}`), 'bad_cursor');
    }
    expect(KEYS).toHaveLength(EXPORT_SECTIONS.length);
  });

  it('is for administrators, for who began it, for a day', async () => {
    const { cursor } = await part();
    const other = await newCaller({ role: 'admin' });
    for (const by of [ada, await newCaller({ role: 'moderator' }), await newToken(admin.user, { scopes: ['messages:read'] })]) expectProblem(await by.call('GET', '/v1/admin/export'), 'forbidden');
    expectProblem(await other.call('GET', `/v1/admin/export?after=${cursor}`), 'bad_cursor');
    for (const wrong of ['x', btoa(`export\n{"export_id":"${uuidv7()}"}`)]) expectProblem(await admin.call('GET', `/v1/admin/export?after=${encodeURIComponent(wrong)}`), 'bad_cursor');
    await onPostgres((db) => db.execute(sql`UPDATE exports SET started_at = now() - interval '25 hours' WHERE user_id = ${admin.user.id}`));
    expectProblem(await admin.call('GET', `/v1/admin/export?after=${cursor}`), 'bad_cursor');
  });
});
