import { request as openRequest } from 'node:http';
import { join } from 'node:path';
import { uuidv7 } from 'uuidv7';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { connect } from '../db/client.ts';
import { updateFile } from '../db/queries/file-state.ts';
import type { FileState } from '../protocol/files.ts';
import { noBrowser, type Person } from './support/browser.ts';
import { createChannel, itemOf, joinChannel, signIn } from './support/page.ts';
import { openTwoPeople, type TwoPeople } from './support/two-people.ts';
import type { World } from './support/world.ts';

const skipped = noBrowser !== null && !process.env['CI'];
const WITHIN = { timeout: 30_000 };
const PNG = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');

let people: TwoPeople | undefined;
let world: World;
let alice: Person;
let bob: Person;

beforeAll(async () => {
  if (skipped) return;
  people = await openTwoPeople('files');
  ({ world, alice, bob } = people);
});
afterEach(({ task }) => people?.ended(task.result?.state));
afterAll(() => people?.close());

/** The scanner's word, unless it has said it itself. */
async function scanned(file: FileState, status: FileState['status'] = 'clean'): Promise<void> {
  const { sql, close } = connect(world.postgresUrl, { max: 1, applicationName: 'colink-tests' });
  await updateFile(sql, { fileId: file.id, status, thumbnails: [], eventId: uuidv7(), now: new Date() }).finally(() => close());
}

describe.skipIf(skipped)(`files${skipped ? ` (left out: ${noBrowser})` : ''}`, () => {
  it('go up, wait for the scan, and come down as they were', async () => {
    const [ada, eve] = [await world.user('ada'), await world.user('eve')];
    const channel = await world.channel('engines', [ada]);
    const content = new Blob([Buffer.alloc(3_000_000, 'colink')], { type: 'text/plain' });
    const file = await ada.api.upload(channel, 'long.txt', content, 'key-1');
    expect(await ada.api.upload(channel, 'long.txt', content, 'key-1')).toEqual(file);
    const download = (token: string) => fetch(ada.api.contentUrl(file.id), { headers: { authorization: `Bearer ${token}` } });
    expect((await download(ada.token)).status).toBe(409);
    await scanned(file);
    expect((await download(eve.token)).status).toBe(404);
    const answer = await download(ada.token);
    expect([answer.status, answer.headers.get('content-disposition')]).toEqual([200, 'attachment; filename="long.txt"; filename*=UTF-8\'\'long.txt']);
    expect(Buffer.from(await answer.arrayBuffer()).equals(Buffer.from(await content.arrayBuffer()))).toBe(true);
    expect((await ada.api.files(channel)).data).toEqual([{ ...file, status: 'clean' }]);
    await ada.api.removeFile(file.id);
    expect((await download(ada.token)).status).toBe(404);
  });

  it('whose upload the client cuts off leave no row, and their bytes are free', async () => {
    const ada = await world.user('cutter');
    const channel = await world.channel('cut-off', [ada]);
    const { sql, close } = connect(world.postgresUrl, { max: 1, applicationName: 'colink-tests' });
    const url = new URL(`/v1/files?channel_id=${channel}&name=cut.bin`, world.baseUrl);
    const headers = { authorization: `Bearer ${ada.token}`, 'content-type': 'application/x-test', 'content-length': '2000000' };
    const request = openRequest(url, { method: 'POST', headers }).on('error', () => {});
    request.write(Buffer.alloc(500_000, 1));
    await expect.poll(async () => (await sql`SELECT id FROM file_uploads WHERE user_id = ${ada.id}`).length, WITHIN).toBe(1);
    request.destroy();
    await expect.poll(async () => (await sql`SELECT id FROM file_uploads WHERE user_id = ${ada.id} AND abandoned_at IS NULL`).length, WITHIN).toBe(0);
    expect(await sql`SELECT bytes::int FROM file_usage WHERE user_id = ${ada.id}`).toEqual([{ bytes: 0 }]);
    expect((await ada.api.files(channel)).data).toEqual([]);
    await close();
  });

  it('at the page: attached, sent with a message, seen by others as they become clean, downloaded', async () => {
    await Promise.all([signIn(alice, world.baseUrl, 'Alice Adams'), signIn(bob, world.baseUrl, 'Bob Baker')]);
    await createChannel(alice, 'plans');
    const channelId = new URL(alice.page.url()).pathname.split('/').at(-1) ?? '';
    await joinChannel(bob, 'plans');
    await alice.page.locator('.composer input[type=file]').setInputFiles([
      { name: 'engine.png', mimeType: 'image/png', buffer: PNG },
      { name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('some notes') },
      { name: 'lie.png', mimeType: 'image/png', buffer: Buffer.from('no picture') },
    ]);
    const uploads = alice.page.getByRole('list', { name: 'Files of this message' });
    await uploads.getByText('10 bytes').waitFor(WITHIN);
    await uploads.getByRole('alert').waitFor(WITHIN);
    await alice.page.screenshot({ path: join(world.dataDir, 'composer.png') });
    await uploads.getByRole('button', { name: 'Remove lie.png' }).click();
    await alice.page.getByRole('textbox', { name: 'Message #plans' }).fill('The engine');
    await alice.page.getByRole('button', { name: 'Send', exact: true }).click();
    for (const person of [alice, bob]) await itemOf(person, 'The engine').getByText('10 bytes, being scanned').waitFor(WITHIN);
    const { data } = await (await world.user('alice')).api.files(channelId);
    for (const file of data) await scanned(file, file.name === 'notes.txt' ? 'infected' : 'clean');
    for (const person of [alice, bob]) await itemOf(person, 'The engine').getByText('infected').waitFor(WITHIN);
    const link = itemOf(bob, 'The engine').getByRole('link', { name: /engine\.png/ });
    await link.waitFor(WITHIN);
    await bob.page.screenshot({ path: join(world.dataDir, 'message.png') });
    const [download] = await Promise.all([bob.page.waitForEvent('download'), link.click()]);
    expect(download.suggestedFilename()).toBe('engine.png');
    await bob.page.reload();
    await itemOf(bob, 'The engine').getByRole('link', { name: /engine\.png/ }).waitFor(WITHIN);
    await itemOf(bob, 'The engine').getByText('infected').waitFor(WITHIN);
    if (process.env['COLINK_SCREENSHOTS']) world.keep();
  });
});
