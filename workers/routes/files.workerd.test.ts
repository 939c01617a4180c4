import { uuidv7 } from 'uuidv7';
import { describe, expect, it } from 'vitest';
import { filePageSchema } from '../../protocol/api.ts';
import { fileEventSchema } from '../../protocol/file-events.ts';
import { bodyOf, expectProblem, newCaller, newChannel } from '../api-fixture.ts';
import { fetchWith, fileEventsOf, getFile, newFile, newMember, objectsOf, PNG, setStatus, usageOf } from '../file-fixture.ts';

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
    expect((await getFile(bob, `/v1/files/${file.id}/content`)).status).toBe(200);
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
    const whole = await getFile(ada, path);
    expect(whole.status).toBe(200);
    expect(Object.fromEntries(whole.headers)).toMatchObject({
      'content-type': 'text/html', 'content-length': '10', etag: `"${file.sha256}"`, 'accept-ranges': 'bytes', 'x-content-type-options': 'nosniff',
      'content-disposition': `attachment; filename="q_uote _.html"; filename*=UTF-8''q%22uote%20%E6%9D%B1.html`,
      'content-security-policy': expect.stringContaining('sandbox'), 'cache-control': 'private, no-cache',
    });
    const ranges: [string, number, string][] = [['bytes=0-3', 206, '0123'], ['bytes=4-', 206, '456789'], ['bytes=-3', 206, '789'], ['bytes=8-99', 206, '89'], ['bytes=3-1', 200, '0123456789'], ['bytes=0-1,3-4', 200, '0123456789'], ['lines=1-2', 200, '0123456789']];
    for (const [range, status, text] of ranges) {
      const part = await getFile(ada, path, { Range: range });
      expect([range, part.status, await part.text()]).toEqual([range, status, text]);
    }
    const past = await ada.call('GET', path, undefined, { Range: 'bytes=10-' });
    expectProblem(past, 'range_not_satisfiable');
    expect(past.headers.get('content-range')).toBe('bytes */10');
    expect(await (await getFile(ada, path, { Range: 'bytes=0-3', 'If-Range': '"other"' })).text()).toBe('0123456789');
    for (const tag of [`"${file.sha256}"`, `W/"${file.sha256}"`, `"x", "${file.sha256}"`, '*']) expect((await getFile(ada, path, { 'If-None-Match': tag })).status).toBe(304);
    const head = await getFile(ada, path, {}, 'HEAD');
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
    for (const size of ['0', '0x140', '320.0', '3.2e2', '%20320']) expect((await put(`/internal/files/${file.id}/thumbnails/${size}`)).status).toBe(404);
    expect((await put(`/internal/files/${file.id}/thumbnails/320`, { 'Content-Type': 'text/html' })).status).toBe(415);
    expect((await put(`/internal/files/${file.id}/thumbnails/320`, { 'Content-Length': '99999999' })).status).toBe(413);
    expectProblem(await ada.call('GET', `/v1/files/${file.id}/thumbnails/320`), 'file_not_clean');
    await setStatus(file, 'clean', [{ size: 320, width: 320, height: 200 }]);
    const thumbnail = await getFile(ada, `/v1/files/${file.id}/thumbnails/320`);
    expect([thumbnail.status, thumbnail.headers.get('content-type'), await thumbnail.text()]).toEqual([200, 'image/webp', 'webp']);
    for (const size of ['64', 'x', '0', '0x140', '320.0', '3.2e2', '%20320']) expectProblem(await ada.call('GET', `/v1/files/${file.id}/thumbnails/${size}`), 'not_found');
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
