import { sql } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import { describe, expect, it } from 'vitest';
import { filePageSchema } from '../../protocol/api.ts';
import { fileEventSchema } from '../../protocol/file-events.ts';
import { bodyOf, type Caller, expectProblem, newCaller, newChannel, onPostgres } from '../api-fixture.ts';
import {
  allObjects, expectNothingLeft, fetchWith, fileEventsOf, newFile, objectsOf, PNG, setStatus, uploadFile, uploadsOf, usageOf,
} from '../file-fixture.ts';

async function hexOf(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return Array.from(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

const random = (size: number): Uint8Array<ArrayBuffer> => {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += 65_536) crypto.getRandomValues(bytes.subarray(at, Math.min(size, at + 65_536)));
  return bytes;
};

/** A member of the channel besides its owner. */
async function newMember(owner: Caller, channelId: string, role: 'member' | 'admin' = 'member'): Promise<Caller> {
  const member = await newCaller();
  expect((await owner.call('POST', `/v1/channels/${channelId}/members`, { user_id: member.user.id, role })).status).toBe(201);
  return member;
}

const get = ({ token }: Caller, path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Response> =>
  fetchWith({}, path, { method, headers: { Authorization: `Bearer ${token}`, ...headers } });

describe('an upload', () => {
  it('is kept whole, with its hash, as a file that waits for the scan', async () => {
    const ada = await newCaller();
    const channel = await newChannel(ada, 'private');
    const bytes = random(1_500_000);
    const file = await newFile(ada, channel.id, bytes, { name: '東京 👋.bin', type: 'application/octet-stream' });
    expect(file).toMatchObject({ channel_id: channel.id, uploader_id: ada.user.id, name: '東京 👋.bin', size: bytes.byteLength, sha256: await hexOf(bytes), status: 'pending_scan', thumbnails: [] });
    const [event, ...more] = await fileEventsOf(file.id);
    expect(more).toEqual([]);
    expect(fileEventSchema.parse(event?.data)).toMatchObject({ type: 'file.uploaded', actor_id: ada.user.id, version: 1, file });
    expect(await usageOf(ada.user.id)).toBe(bytes.byteLength);
    expect(await uploadsOf(ada.user.id)).toEqual([]);
    await setStatus(file, 'clean');
    expect(new Uint8Array(await (await get(ada, `/v1/files/${file.id}/content`)).arrayBuffer())).toEqual(bytes);
  });

  it('goes by the type that was found, where none was claimed', async () => {
    const ada = await newCaller();
    const channel = await newChannel(ada);
    expect(await newFile(ada, channel.id, PNG, { name: 'a', type: 'application/octet-stream' })).toMatchObject({ media_type: 'image/png' });
    expect(await newFile(ada, channel.id, 'text', { name: 'a', type: 'Text/HTML; charset=utf-8' })).toMatchObject({ media_type: 'text/html' });
  });

  it.each([
    ['a text for a picture', 'this is text', 'image/png'],
    ['a picture for a text', PNG, 'text/plain'],
    ['a picture for another', PNG, 'image/jpeg'],
    ['a program for a document', Uint8Array.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, ...Array.from({ length: 64 }, () => 0)]), 'application/pdf'],
  ])('that passes %s off is refused, and nothing of it is stored', async (_, body, type) => {
    const ada = await newCaller();
    const channel = await newChannel(ada);
    const before = await allObjects();
    const answer = await uploadFile(ada, channel.id, body, { type });
    expectProblem(answer, 'invalid');
    expect(answer.body).toMatchObject({ errors: [{ pointer: '/content-type' }] });
    await expectNothingLeft(ada, before);
  });

  it('of a body that breaks off leaves nothing', async () => {
    const ada = await newCaller();
    const channel = await newChannel(ada);
    const before = await allObjects();
    const broken = new ReadableStream({
      pull(controller) {
        controller.enqueue(random(70_000));
        controller.error(new Error('gone'));
      },
    });
    expectProblem(await uploadFile(ada, channel.id, broken, { headers: { 'Content-Length': '200000' } }), 'unreadable_body');
    const short = new Blob([random(70_000)]).stream();
    expectProblem(await uploadFile(ada, channel.id, short, { headers: { 'Content-Length': '200000' } }), 'unreadable_body');
    await expectNothingLeft(ada, before);
  });

  it('that is larger than it may be is refused: by what it declares, and where that is a lie, by what comes', async () => {
    const ada = await newCaller();
    const channel = await newChannel(ada);
    const before = await allObjects();
    const most = { bindings: { MAX_FILE_BYTES: '100000' } };
    expectProblem(await uploadFile(ada, channel.id, random(100_001), { ...most, type: 'application/x-test' }), 'body_too_large');
    const lie = new Blob([random(300_000)]).stream();
    expectProblem(await uploadFile(ada, channel.id, lie, { ...most, type: 'application/x-test', headers: { 'Content-Length': '90000' } }), 'body_too_large');
    await expectNothingLeft(ada, before);
    expect((await uploadFile(ada, channel.id, random(100_000), { ...most, type: 'application/x-test' })).status).toBe(201);
  });

  it('has to say how long it is, and what it is', async () => {
    const ada = await newCaller();
    const channel = await newChannel(ada);
    expectProblem(await uploadFile(ada, channel.id, new Blob(['a']).stream()), 'length_required');
    expectProblem(await uploadFile(ada, channel.id, ''), 'invalid');
    expectProblem(await uploadFile(ada, channel.id, 'a', { type: 'nonsense' }), 'invalid');
    for (const name of ['', '../x', 'a\u202Eb', 'x'.repeat(256)]) expectProblem(await uploadFile(ada, channel.id, 'a', { name }), 'invalid');
    expectProblem(await uploadFile(ada, 'nowhere', 'a'), 'invalid');
    expect(await uploadsOf(ada.user.id)).toEqual([]);
  });

  it('is for members of a channel that is open (G5)', async () => {
    const [ada, eve] = [await newCaller(), await newCaller()];
    const [open, hidden] = [await newChannel(ada), await newChannel(ada, 'private')];
    const before = await allObjects();
    expectProblem(await uploadFile(eve, open.id, 'a'), 'not_a_member');
    expectProblem(await uploadFile(eve, hidden.id, 'a'), 'not_found');
    expectProblem(await uploadFile(eve, uuidv7(), 'a'), 'not_found');
    expect((await ada.call('POST', `/v1/channels/${open.id}/archive`)).status).toBe(200);
    expectProblem(await uploadFile(ada, open.id, 'a'), 'channel_archived');
    await expectNothingLeft(eve, before);
  });

  it('of someone who is removed while it runs becomes no file (G5)', async () => {
    const ada = await newCaller();
    const channel = await newChannel(ada, 'private');
    const bob = await newMember(ada, channel.id);
    const before = await allObjects();
    const body = new ReadableStream({
      async pull(controller) {
        controller.enqueue(random(5_000));
        await ada.call('DELETE', `/v1/channels/${channel.id}/members/${bob.user.id}`);
        controller.enqueue(random(5_000));
        controller.close();
      },
    });
    expectProblem(await uploadFile(bob, channel.id, body, { type: 'application/x-test', headers: { 'Content-Length': '10000' } }), 'not_found');
    await expectNothingLeft(bob, before);
  });
});

describe('the quota', () => {
  it('of a user holds, however many upload at once, and deleted files are not counted', async () => {
    const ada = await newCaller();
    const channel = await newChannel(ada);
    const quota = { type: 'application/x-test', bindings: { MAX_USER_FILE_BYTES: '50000' } };
    const answers = await Promise.all(Array.from({ length: 8 }, () => uploadFile(ada, channel.id, random(20_000), quota)));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(2);
    for (const refused of answers.filter(({ status }) => status !== 201)) expectProblem(refused, 'quota_exceeded');
    expect(await usageOf(ada.user.id)).toBe(40_000);
    const page = bodyOf(await ada.call('GET', `/v1/channels/${channel.id}/files`), 200, filePageSchema);
    expect((await ada.call('DELETE', `/v1/files/${page.data[0]?.id}`)).status).toBe(204);
    expect(await usageOf(ada.user.id)).toBe(20_000);
    expect((await uploadFile(ada, channel.id, random(20_000), quota)).status).toBe(201);
  });

  it('of all holds for everybody', async () => {
    const ada = await newCaller();
    const channel = await newChannel(ada);
    await newFile(ada, channel.id);
    expectProblem(await uploadFile(ada, channel.id, 'more', { bindings: { MAX_WORKSPACE_FILE_BYTES: '10' } }), 'quota_exceeded');
    expect(await usageOf(ada.user.id)).toBe(9);
  });

  it('is what the rows say', async () => {
    const [row] = await onPostgres((db) => db.execute<{ wrong: string }>(sql`
      WITH counted AS (
        SELECT uploader_id AS user_id, size FROM files WHERE deleted_at IS NULL
        UNION ALL SELECT user_id, size FROM file_uploads WHERE abandoned_at IS NULL)
      SELECT count(*) AS wrong FROM file_usage u WHERE u.bytes <> (
        SELECT coalesce(sum(c.size), 0) FROM counted c WHERE c.user_id = u.user_id OR u.user_id = '00000000-0000-0000-0000-000000000000')`));
    expect(Number(row?.wrong)).toBe(0);
  });
});

describe('an Idempotency-Key', () => {
  const key = () => ({ 'Idempotency-Key': `"${uuidv7()}"` });

  it('makes repetitions one file, and refuses other content (G2)', async () => {
    const ada = await newCaller();
    const channel = await newChannel(ada);
    const headers = key();
    const first = await uploadFile(ada, channel.id, 'the same', { headers });
    const again = await uploadFile(ada, channel.id, 'the same', { headers });
    expect(again).toMatchObject({ status: 201, body: first.body });
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expectProblem(await uploadFile(ada, channel.id, 'another!', { headers }), 'idempotency_mismatch');
    expectProblem(await uploadFile(ada, channel.id, 'the same', { headers, name: 'other.txt' }), 'idempotency_mismatch');
    expect(bodyOf(await ada.call('GET', `/v1/channels/${channel.id}/files`), 200, filePageSchema).data).toHaveLength(1);
    expect(await usageOf(ada.user.id)).toBe(8);
  });

  it('lets one of many at once through (G2)', async () => {
    const ada = await newCaller();
    const channel = await newChannel(ada);
    const headers = key();
    const answers = await Promise.all(Array.from({ length: 8 }, () => uploadFile(ada, channel.id, random(200_000).fill(7), { headers, type: 'application/x-test' })));
    for (const answer of answers.filter(({ status }) => status !== 201)) expectProblem(answer, 'idempotency_in_flight');
    expect(answers.some(({ status }) => status === 201)).toBe(true);
    expect(bodyOf(await ada.call('GET', `/v1/channels/${channel.id}/files`), 200, filePageSchema).data).toHaveLength(1);
    expect(await usageOf(ada.user.id)).toBe(200_000);
  });

  it('is free again after a refusal', async () => {
    const ada = await newCaller();
    const channel = await newChannel(ada);
    const headers = key();
    expectProblem(await uploadFile(ada, channel.id, 'a text', { headers, type: 'image/png' }), 'invalid');
    expect((await uploadFile(ada, channel.id, 'a text', { headers })).status).toBe(201);
  });
});

describe('a file', () => {
  it('is there for who uploaded it and the members of its channel, and for nobody else (G5)', async () => {
    const [ada, eve, admin] = [await newCaller(), await newCaller(), await newCaller({ role: 'admin' })];
    const channel = await newChannel(ada, 'public');
    const bob = await newMember(ada, channel.id);
    const file = await newFile(ada, channel.id, PNG, { type: 'image/png' });
    await setStatus(file, 'clean', [{ size: 320, width: 1, height: 1 }]);
    const paths = ['', '/content', '/thumbnails/320'].map((path) => `/v1/files/${file.id}${path}`);
    for (const path of paths) for (const stranger of [eve, admin]) expectProblem(await stranger.call('GET', path), 'not_found');
    expectProblem(await eve.call('DELETE', `/v1/files/${file.id}`), 'not_found');
    expect((await bob.call('GET', paths[0] ?? '')).body).toMatchObject({ id: file.id, status: 'clean' });
    expect((await get(bob, `/v1/files/${file.id}/content`)).status).toBe(200);
    expectProblem(await eve.call('GET', `/v1/channels/${channel.id}/files`), 'not_a_member');
    await ada.call('DELETE', `/v1/channels/${channel.id}/members/${bob.user.id}`);
    for (const path of paths) expectProblem(await bob.call('GET', path), 'not_found');
    for (const none of [uuidv7(), 'x', file.id.toUpperCase()]) expectProblem(await ada.call('GET', `/v1/files/${none}`), 'not_found');
  });

  it('is served once it is clean, and never if it is infected', async () => {
    const ada = await newCaller();
    const channel = await newChannel(ada);
    const file = await newFile(ada, channel.id);
    const pending = await ada.call('GET', `/v1/files/${file.id}/content`);
    expectProblem(pending, 'file_not_clean');
    expect(pending.headers.get('retry-after')).toBe('2');
    await setStatus(file, 'infected', [{ size: 320, width: 1, height: 1 }]);
    for (const path of ['content', 'thumbnails/320']) expectProblem(await ada.call('GET', `/v1/files/${file.id}/${path}`), 'file_infected');
  });

  it('comes as an attachment that no browser runs, in ranges, and not at all where the client has it', async () => {
    const ada = await newCaller();
    const channel = await newChannel(ada);
    const file = await newFile(ada, channel.id, '0123456789', { name: 'q"uote 東.html', type: 'text/html' });
    await setStatus(file, 'clean');
    const path = `/v1/files/${file.id}/content`;
    const whole = await get(ada, path);
    expect(whole.status).toBe(200);
    expect(Object.fromEntries(whole.headers)).toMatchObject({
      'content-type': 'text/html', 'content-length': '10', etag: `"${file.sha256}"`, 'accept-ranges': 'bytes', 'x-content-type-options': 'nosniff',
      'content-disposition': `attachment; filename="q_uote _.html"; filename*=UTF-8''q%22uote%20%E6%9D%B1.html`,
      'content-security-policy': expect.stringContaining('sandbox'), 'cache-control': 'private, no-cache',
    });
    const ranges: [string, number, string][] = [['bytes=0-3', 206, '0123'], ['bytes=4-', 206, '456789'], ['bytes=-3', 206, '789'], ['bytes=8-99', 206, '89'], ['bytes=3-1', 200, '0123456789'], ['bytes=0-1,3-4', 200, '0123456789'], ['lines=1-2', 200, '0123456789']];
    for (const [range, status, text] of ranges) {
      const part = await get(ada, path, { Range: range });
      expect([range, part.status, await part.text()]).toEqual([range, status, text]);
    }
    const past = await ada.call('GET', path, undefined, { Range: 'bytes=10-' });
    expectProblem(past, 'range_not_satisfiable');
    expect(past.headers.get('content-range')).toBe('bytes */10');
    expect(await (await get(ada, path, { Range: 'bytes=0-3', 'If-Range': '"other"' })).text()).toBe('0123456789');
    for (const tag of [`"${file.sha256}"`, `W/"${file.sha256}"`, `"x", "${file.sha256}"`, '*']) expect((await get(ada, path, { 'If-None-Match': tag })).status).toBe(304);
    const head = await get(ada, path, {}, 'HEAD');
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '10', '']);
  });

  it('has the thumbnails it names', async () => {
    const ada = await newCaller();
    const channel = await newChannel(ada);
    const file = await newFile(ada, channel.id, PNG, { type: 'image/png' });
    const put = (path: string, headers: Record<string, string> = {}, body = 'webp') =>
      fetchWith({ FLEET_TOKEN: 'secret' }, path, { method: 'PUT', headers: { Authorization: 'Bearer secret', 'Content-Type': 'image/webp', 'Content-Length': String(body.length), ...headers }, body });
    expect((await put(`/internal/files/${file.id}/thumbnails/320`)).status).toBe(204);
    expect((await put(`/internal/files/${file.id}/thumbnails/320`)).status).toBe(204);
    expect((await put(`/internal/files/${uuidv7()}/thumbnails/320`)).status).toBe(404);
    expect((await put(`/internal/files/${file.id}/thumbnails/0`)).status).toBe(404);
    expect((await put(`/internal/files/${file.id}/thumbnails/320`, { 'Content-Type': 'text/html' })).status).toBe(415);
    expect((await put(`/internal/files/${file.id}/thumbnails/320`, { 'Content-Length': '99999999' })).status).toBe(413);
    expectProblem(await ada.call('GET', `/v1/files/${file.id}/thumbnails/320`), 'file_not_clean');
    await setStatus(file, 'clean', [{ size: 320, width: 320, height: 200 }]);
    const thumbnail = await get(ada, `/v1/files/${file.id}/thumbnails/320`);
    expect([thumbnail.status, thumbnail.headers.get('content-type'), await thumbnail.text()]).toEqual([200, 'image/webp', 'webp']);
    for (const size of ['64', 'x', '0']) expectProblem(await ada.call('GET', `/v1/files/${file.id}/thumbnails/${size}`), 'not_found');
  });

  it('is listed with the others of its channel, the newest first, page by page', async () => {
    const ada = await newCaller();
    const channel = await newChannel(ada);
    const made: string[] = [];
    for (const name of ['1', '2', '3']) made.unshift((await newFile(ada, channel.id, 'x', { name })).id);
    const first = bodyOf(await ada.call('GET', `/v1/channels/${channel.id}/files?limit=2`), 200, filePageSchema);
    const second = bodyOf(await ada.call('GET', `/v1/channels/${channel.id}/files?limit=2&cursor=${first.next_cursor}`), 200, filePageSchema);
    expect([...first.data, ...second.data].map(({ id }) => id)).toEqual(made);
    expect(second.next_cursor).toBeNull();
    expectProblem(await ada.call('GET', `/v1/channels/${channel.id}/files?cursor=AAAA`), 'bad_cursor');
  });
});

describe('a deletion', () => {
  it('is for the uploader, managers of the channel and administrators, and takes the file from all and from the store', async () => {
    const ada = await newCaller();
    const channel = await newChannel(ada, 'private');
    const [bob, eve, manager, admin] = [await newMember(ada, channel.id), await newMember(ada, channel.id), await newMember(ada, channel.id, 'admin'), await newCaller({ role: 'admin' })];
    for (const deleter of [bob, manager, ada, admin]) {
      const file = await newFile(bob, channel.id);
      expectProblem(await eve.call('DELETE', `/v1/files/${file.id}`), 'forbidden');
      expect((await fetchWith({}, `/v1/files/${file.id}`, { method: 'DELETE', headers: { Authorization: `Bearer ${deleter.token}` } })).status).toBe(204);
      expect(await objectsOf(file.id)).toEqual([]);
      for (const path of ['', '/content']) expectProblem(await bob.call('GET', `/v1/files/${file.id}${path}`), 'not_found');
      expectProblem(await bob.call('DELETE', `/v1/files/${file.id}`), 'not_found');
      const events = (await fileEventsOf(file.id)).map(({ data }) => fileEventSchema.parse(data));
      expect(events.map(({ type, version, actor_id }) => [type, version, actor_id])).toEqual([['file.uploaded', 1, bob.user.id], ['file.deleted', 2, deleter.user.id]]);
    }
    expect(await usageOf(bob.user.id)).toBe(0);
  });

  it('happens once, however often it is asked for at once', async () => {
    const ada = await newCaller();
    const channel = await newChannel(ada);
    const file = await newFile(ada, channel.id);
    const statuses = (await Promise.all(Array.from({ length: 5 }, () => ada.call('DELETE', `/v1/files/${file.id}`)))).map(({ status }) => status);
    expect(statuses.toSorted()).toEqual([204, 404, 404, 404, 404]);
    expect(await fileEventsOf(file.id)).toHaveLength(2);
    expect(await usageOf(ada.user.id)).toBe(0);
  });
});

describe('the routes of the fleet', () => {
  it('are not there without its secret (G5)', async () => {
    const ada = await newCaller();
    const channel = await newChannel(ada);
    const file = await newFile(ada, channel.id);
    const routes = [['GET', `/internal/files/${file.id}/content`], ['PUT', `/internal/files/${file.id}/thumbnails/320`], ['DELETE', `/internal/files/${file.id}`]] as const;
    for (const [method, path] of routes) for (const authorization of ['Bearer wrong', `Bearer ${ada.token}`, '']) {
      const init = { method, headers: { Authorization: authorization }, ...(method === 'PUT' && { body: 'x' }) };
      expect((await fetchWith({ FLEET_TOKEN: 'secret' }, path, init)).status).toBe(404);
      expect((await fetchWith({ FLEET_TOKEN: '' }, path, init)).status).toBe(404);
    }
    expect(await objectsOf(file.id)).toHaveLength(1);
    const content = await fetchWith({ FLEET_TOKEN: 'secret' }, `/internal/files/${file.id}/content`, { headers: { Authorization: 'Bearer secret' } });
    expect([content.status, content.headers.get('content-length'), await content.text()]).toEqual([200, '9', 'some text']);
    const gone = () => fetchWith({ FLEET_TOKEN: 'secret' }, `/internal/files/${file.id}`, { method: 'DELETE', headers: { Authorization: 'Bearer secret' } });
    expect([(await gone()).status, (await gone()).status, (await objectsOf(file.id)).length]).toEqual([204, 204, 0]);
  });
});
