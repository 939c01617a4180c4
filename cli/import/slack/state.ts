import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { idSchema } from '../../../protocol/primitives.ts';

/** The conversations of a file that are posted whole, each with the channel it was posted into. It only saves time: without it all is posted again, and the rooms know it (G2). */
const stateSchema = z.record(z.string(), idSchema);
export type SlackState = z.infer<typeof stateSchema>;

export async function loadSlackState(path: string): Promise<SlackState> {
  try {
    return stateSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return {};
  }
}

/** Replaces the file whole, so that an interruption leaves the old or the new one. */
export async function saveSlackState(path: string, state: SlackState): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.new`, `${JSON.stringify(state)}\n`);
  await rename(`${path}.new`, path);
}

/** Of the file's content: 16 hexadecimal digits. */
export async function identityOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex').slice(0, 16);
}
