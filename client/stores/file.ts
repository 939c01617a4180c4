import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { KeyValueStore } from '../ports.ts';

const SUFFIX = '.json';

/** Strings in a directory, one file each, for programs on Node. A value is there whole or not at all, whenever the program or the machine dies. */
export function fileStore(directory: string): KeyValueStore {
  const fileOf = (key: string) => join(directory, createHash('sha256').update(key).digest('hex') + SUFFIX);
  return {
    async entries(prefix) {
      await mkdir(directory, { recursive: true });
      const names = (await readdir(directory)).filter((name) => name.endsWith(SUFFIX));
      const entries = await Promise.all(names.map((name) => readEntry(join(directory, name))));
      return entries.filter((entry) => entry !== null).filter(([key]) => key.startsWith(prefix));
    },
    async set(key, value) {
      await mkdir(directory, { recursive: true });
      const draft = `${fileOf(key)}.${process.pid}.draft`;
      await writeFile(draft, JSON.stringify([key, value]), { flush: true });
      await rename(draft, fileOf(key));
    },
    remove: (key) => rm(fileOf(key), { force: true }),
  };
}

/** Null for a file that was removed in between, or is none of this store's. */
async function readEntry(path: string): Promise<[string, string] | null> {
  try {
    const [key, value] = JSON.parse(await readFile(path, 'utf8'));
    return typeof key === 'string' && typeof value === 'string' ? [key, value] : null;
  } catch {
    return null;
  }
}
