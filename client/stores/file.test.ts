import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fileStore } from './file.ts';

let directory: string;
beforeAll(() => (directory = mkdtempSync(join(tmpdir(), 'colink-file-store-'))));
afterAll(() => rmSync(directory, { recursive: true }));

describe('a store in a directory', () => {
  it('G1: has what it was given when it is opened again, whatever the keys are', async () => {
    const store = fileStore(join(directory, 'kept'));
    await store.set('a.one', 'first');
    await store.set('a.one', 'second');
    await store.set('a.../../東京', '\u0000 "');
    await store.set('b.two', 'other');
    const again = fileStore(join(directory, 'kept'));
    expect(new Map(await again.entries('a.'))).toEqual(new Map([['a.one', 'second'], ['a.../../東京', '\u0000 "']]));
    await again.remove('a.one');
    await again.remove('a.one');
    expect(await store.entries('a.o')).toEqual([]);
    expect(readdirSync(join(directory, 'kept'))).toHaveLength(2);
  });

  it('is empty at first, and passes over what is half written or not its own', async () => {
    const place = join(directory, 'strange');
    expect(await fileStore(place).entries('')).toEqual([]);
    writeFileSync(join(place, 'half.json'), '["a.one","fir');
    writeFileSync(join(place, 'x.json.1.draft'), '["a.two","x"]');
    writeFileSync(join(place, 'other.json'), '{}');
    expect(await fileStore(place).entries('')).toEqual([]);
  });
});
