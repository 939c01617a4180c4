import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { EICAR, EICAR_SIGNATURE } from '../dev/clamd.ts';
import { fileSchema, type FileState } from '../protocol/files.ts';
import { eventually } from './support/event-log.ts';
import { hasClamd } from './support/scan-bed.ts';
import { startWorld, type World, type WorldUser } from './support/world.ts';

const SOON = 40_000;

describe.skipIf(!hasClamd)('files, from the upload to the download, through Worker, R2, fleet and clamd', () => {
  let world: World;
  let ada: WorldUser;
  let channel: string;

  beforeAll(async () => {
    world = await startWorld('scanned-files', 'embedded', { clamd: true });
    ada = await world.user('ada');
    channel = await world.channel('files', [ada]);
  });
  afterAll(() => world.close());

  const call = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`${world.baseUrl}${path}`, { ...init, headers: { Authorization: `Bearer ${ada.token}`, ...init.headers } });

  async function upload(name: string, type: string, content: Uint8Array | string): Promise<FileState> {
    const response = await call(`/v1/files?channel_id=${channel}&name=${name}`, { method: 'POST', headers: { 'Content-Type': type }, body: new Uint8Array(Buffer.from(content)) });
    expect(response.status).toBe(201);
    return fileSchema.parse(await response.json());
  }

  const read = async (id: string): Promise<FileState> => fileSchema.parse(await (await call(`/v1/files/${id}`)).json());
  const untilStatus = (id: string, status: string): Promise<void> => eventually(async () => (await read(id)).status === status, SOON);

  async function scans(...args: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(process.execPath, ['cli/main.ts', 'files', ...args], { env: { ...process.env, DATABASE_URL: world.postgresUrl } });
    return stdout;
  }

  it('a clean picture is served, with thumbnails; an infected file never is (G5)', async () => {
    const image = await sharp({ create: { width: 900, height: 600, channels: 3, background: '#3060c0' } }).jpeg().toBuffer();
    const [picture, bad] = [await upload('engine.jpg', 'image/jpeg', image), await upload('eicar.com', 'application/octet-stream', EICAR)];
    await untilStatus(picture.id, 'clean');
    await untilStatus(bad.id, 'infected');
    expect(Buffer.from(await (await call(`/v1/files/${picture.id}/content`)).arrayBuffer()).equals(image)).toBe(true);
    const { thumbnails } = await read(picture.id);
    expect(thumbnails.map(({ size, width, height }) => [size, width, height])).toEqual([[160, 160, 107], [480, 480, 320], [1_280, 900, 600]]);
    for (const { size, width, height } of thumbnails) {
      const response = await call(`/v1/files/${picture.id}/thumbnails/${size}`);
      expect([response.status, response.headers.get('content-type')]).toEqual([200, 'image/webp']);
      expect(await sharp(Buffer.from(await response.arrayBuffer())).metadata()).toMatchObject({ format: 'webp', width, height });
    }
    expect((await call(`/v1/files/${bad.id}/content`)).status).toBe(410);
    const infected = await scans('scans', '--state', 'infected', '--json');
    expect(JSON.parse(infected)).toMatchObject({ scans: [{ fileId: bad.id, state: 'infected', signature: EICAR_SIGNATURE }], refused: 0 });
    expect(JSON.stringify(await read(bad.id))).not.toContain('EICAR');
  });

  it('a scanned image of one\'s own is the picture that others see, in the page\'s bootstrap and by Slack\'s methods, until its file is deleted', async () => {
    const bob = await world.user('bob');
    const notes = await ada.api.openDirectChannel([]);
    const image = new Blob([new Uint8Array(await sharp({ create: { width: 900, height: 600, channels: 3, background: '#3060c0' } }).jpeg().toBuffer())], { type: 'image/jpeg' });
    const { id } = await ada.api.upload(notes.id, 'me.jpg', image);
    const set = async () => (await call('/v1/me/avatar', { method: 'PUT', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ file_id: id }) })).status;
    await eventually(async () => {
      const status = await set();
      expect([200, 409]).toContain(status);
      return status === 200;
    }, SOON);
    const { avatar } = await bob.api.user(ada.id);
    if (avatar === null) throw new Error('there is no picture');
    expect([avatar.file_id, (await ada.api.bootstrap()).me.avatar]).toEqual([id, avatar]);
    const asBob = (url: string): Promise<Response> => fetch(url, { headers: { Authorization: `Bearer ${bob.token}` } });
    for (const [size, width, height] of [[160, 160, 107], [480, 480, 320]] as const) {
      const picture = await asBob(bob.api.avatarUrl(avatar, size));
      expect([picture.status, picture.headers.get('content-type'), picture.headers.get('cache-control')]).toEqual([200, 'image/webp', 'private, max-age=604800, immutable']);
      expect(await sharp(Buffer.from(await picture.arrayBuffer())).metadata()).toMatchObject({ format: 'webp', width, height });
    }
    expect((await asBob(`${world.baseUrl}/v1/files/${id}`)).status).toBe(404);
    const slack = async () => {
      const { user } = z.looseObject({ user: z.looseObject({ profile: z.record(z.string(), z.unknown()) }) }).parse(await (await asBob(`${world.baseUrl}/slack/api/users.info?user=${ada.id}`)).json());
      return Object.entries(user.profile).filter(([name]) => name.startsWith('image_'));
    };
    const images = await slack();
    const widths = await Promise.all(images.map(async ([name, url]) => [name, (await sharp(Buffer.from(await (await asBob(String(url))).arrayBuffer())).metadata()).width]));
    expect(widths).toEqual([['image_24', 160], ['image_32', 160], ['image_48', 160], ['image_72', 160], ['image_192', 480], ['image_512', 480]]);
    await ada.api.removeFile(id);
    // Whatever this isolate has kept of her.
    await eventually(async () => (await bob.api.user(ada.id)).avatar === null, SOON);
    expect([await slack(), (await asBob(`${world.baseUrl}${avatar.url}`)).status]).toEqual([[], 404]);
  });

  it('files uploaded while clamd is killed again and again are all scanned, and what is asked for again is', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 8; n++) {
      const pid = world.pids()['clamd'];
      if (pid !== undefined && n % 2 === 0) process.kill(pid, 'SIGKILL');
      ids.push((await upload(`${n}.txt`, 'text/plain', `file ${n}`)).id);
    }
    for (const id of ids) await untilStatus(id, 'clean');
    expect(await scans('rescan', '--file', ids[0] ?? '')).toBe('1 file waits for a scan\n');
    await eventually(async () => JSON.parse(await scans('scans', '--json')).waiting === 0, SOON);
    expect((await read(ids[0] ?? '')).status).toBe('clean');
    expect((await call(`/v1/files/${ids[0]}/content`)).status).toBe(200);
  });

  it('the command says what it wants', async () => {
    await expect(scans('rescan')).rejects.toThrow('which files?');
    await expect(scans('rescan', '--since', 'yesterday')).rejects.toThrow('--since is a time');
    await expect(scans('burn')).rejects.toThrow('there is no colink files burn');
  });
});
