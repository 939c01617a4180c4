import { sql } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import { describe, expect, it } from 'vitest';
import { EVERYBODY } from '../../db/queries/file-usage.ts';
import { filePageSchema } from '../../protocol/api.ts';
import { fileEventSchema } from '../../protocol/file-events.ts';
import { bodyOf, expectProblem, newCaller, newChannel, onPostgres } from '../api-fixture.ts';
import { allObjects, expectNothingLeft, fileEventsOf, getFile, newFile, newMember, PNG, setStatus, uploadFile, uploadsOf, usageOf } from '../file-fixture.ts';

async function hexOf(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return Array.from(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

const random = (size: number): Uint8Array<ArrayBuffer> => {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += 65_536) crypto.getRandomValues(bytes.subarray(at, Math.min(size, at + 65_536)));
  return bytes;
};

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
    expect(new Uint8Array(await (await getFile(ada, `/v1/files/${file.id}/content`)).arrayBuffer())).toEqual(bytes);
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

  it('is what the rows say, and that of all is what the users have', async () => {
    const [row] = await onPostgres((db) => db.execute<{ wrong: string }>(sql`
      WITH counted AS (
        SELECT uploader_id AS user_id, size FROM files WHERE deleted_at IS NULL
        UNION ALL SELECT user_id, size FROM file_uploads WHERE abandoned_at IS NULL)
      SELECT count(*) AS wrong FROM file_usage u WHERE u.bytes <> CASE WHEN u.user_id = ${EVERYBODY}
        THEN (SELECT sum(o.bytes) FROM file_usage o WHERE o.user_id <> ${EVERYBODY})
        ELSE (SELECT coalesce(sum(c.size), 0) FROM counted c WHERE c.user_id = u.user_id) END`));
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
