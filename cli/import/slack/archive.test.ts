import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SLACK_EXPORT } from '../../../tests/support/slack-export.ts';
import { jsonFile, type ZipEntry, zipOf } from '../../../tests/support/zip.ts';
import { MAX_JSON_BYTES } from './archive.ts';
import { SlackExport } from './export.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'colink-slack-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function zip(entries: readonly ZipEntry[] | Buffer): Promise<string> {
  const path = join(folder, 'export.zip');
  await writeFile(path, Buffer.isBuffer(entries) ? entries : zipOf(entries));
  return path;
}

/** Reads all of it, as an import does before it posts. */
async function readAll(entries: readonly ZipEntry[] | Buffer, includePrivate = true): Promise<string[]> {
  const slack = await SlackExport.open(await zip(entries), includePrivate);
  try {
    const texts: string[] = [];
    for (const conversation of slack.conversations) for await (const { text } of slack.messages(conversation)) texts.push(`${conversation.kind} ${conversation.name}: ${text ?? ''}`);
    return texts;
  } finally {
    slack.close();
  }
}

const without = (name: string): ZipEntry[] => SLACK_EXPORT.filter((entry) => entry.name !== name);

describe('an export of Slack', () => {
  it('is read in the order in which it was said, private conversations where asked for', async () => {
    const texts = await readAll(SLACK_EXPORT);
    expect(texts.slice(1, 4).map((text) => text.slice(0, 30))).toEqual(['public general: Hello <@U02> i', 'public general: a reply', 'public general: a reply of the']);
    expect(texts.slice(-3)).toEqual(['private engine-room: secret plans', 'private slack-d01: between us', 'private slack-g02: among some']);
    expect((await readAll(SLACK_EXPORT, false)).join()).not.toMatch(/secret|between|among/);
  });

  it('that lists no private ones is read without them', async () => {
    expect(await readAll(SLACK_EXPORT.filter(({ name }) => !['groups.json', 'dms.json', 'mpims.json'].includes(name)))).toHaveLength(5);
  });

  it.each<[string, readonly ZipEntry[] | Buffer, string | RegExp]>([
    ['is no zip', Buffer.from('hello'), /export\.zip: is no zip that can be read/],
    ['is cut off', zipOf(SLACK_EXPORT).subarray(0, 600), /is no zip that can be read/],
    ['has a name that leads out of it', [...SLACK_EXPORT, jsonFile('general/../../2026-01-01.json', [])], /invalid relative path/],
    ['has an absolute name', [...SLACK_EXPORT, jsonFile('/etc/passwd', [])], /absolute path/],
    ['has a name with a backslash', [...SLACK_EXPORT, jsonFile('general\\2026-01-03.json', [])], /invalid characters/],
    ['has a file twice', [...SLACK_EXPORT, jsonFile('general/2026-01-01.json', [])], 'general/2026-01-01.json: is in the archive twice'],
    ['has an encrypted file', [...SLACK_EXPORT, { name: 'x.json', content: '[]', flags: 1 }], 'x.json: is encrypted, or packed in an unknown way'],
    ['has a file packed in an unknown way', [...SLACK_EXPORT, { name: 'x.json', content: '[]', method: 99 }], 'x.json: is encrypted, or packed in an unknown way'],
    ['unpacks to too much', [...without('users.json'), { name: 'users.json', content: Buffer.alloc(MAX_JSON_BYTES + 1, ' ') }], /users\.json: unpacks to \d+ bytes, more than/],
    ['unpacks to more than it says', [...without('users.json'), { name: 'users.json', content: Buffer.alloc(10_000_000, ' '), claimedSize: 100 }], /users\.json: cannot be read \(too many bytes/],
    ['says it has files of 16 GiB', Array.from({ length: 300 }, (_, n) => ({ name: `${n}.json`, content: '', claimedSize: MAX_JSON_BYTES })), /unpacks to more than/],
    ['has another checksum', [...without('users.json'), { name: 'users.json', content: '[]', claimedCrc: 1 }], 'users.json: cannot be read (its checksum is another)'],
    ['has no list of users', without('users.json'), 'users.json: is not in the archive'],
    ['has broken JSON', [...without('general/2026-01-02.json'), { name: 'general/2026-01-02.json', content: '[\n  {"type": "message",\n   "ts": secret}\n]' }], 'general/2026-01-02.json: line 3, column 10 is no JSON'],
    ['has JSON that ends early', [...without('users.json'), { name: 'users.json', content: '[{"id": "U01"' }], 'users.json: line 1, column 14 is no JSON'],
    ['has bytes that are no UTF-8', [...without('users.json'), { name: 'users.json', content: Buffer.from([0x5b, 0xff, 0x5d]) }], /users\.json: cannot be read/],
    ['has a message without a ts', [...without('general/2026-01-02.json'), jsonFile('general/2026-01-02.json', [{ type: 'message', ts: '1.1' }, { type: 'message', ts: 'now' }])], 'general/2026-01-02.json: at /1/ts: must be a ts of Slack'],
    ['has an id that is none', [...without('channels.json'), jsonFile('channels.json', [{ id: '../x', name: 'general' }])], 'channels.json: at /0/id: must be an id of Slack'],
  ])('that %s is refused, and it is said where', async (_, entries, message) => {
    await expect(readAll(entries)).rejects.toThrow(message);
  });
});
