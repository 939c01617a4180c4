import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { counterSchema, idSchema } from '../../protocol/primitives.ts';

/** How far a file is posted into a channel. It only saves time: without it every line is posted again, and the room knows them all (G2). */
const importStateSchema = z.strictObject({
  identity: z.string(),
  channel_id: idSchema,
  /** All lines up to this one are acknowledged. */
  line: counterSchema,
});
export type ImportState = z.infer<typeof importStateSchema>;

export const statePath = (folder: string, identity: string, channelId: string): string => join(folder, `import-${identity}-${channelId}.json`);

/** The line kept for this file and channel; 0 where the file is missing, unreadable or another import's. */
export async function loadLine(path: string, identity: string, channelId: string): Promise<number> {
  const state = parseState(await readFile(path, 'utf8').catch(() => ''));
  return state?.identity === identity && state.channel_id === channelId ? state.line : 0;
}

export function parseState(json: string): ImportState | null {
  try {
    return importStateSchema.safeParse(JSON.parse(json)).data ?? null;
  } catch {
    return null;
  }
}

/** Replaces the file whole, so that an interruption leaves the old or the new one. */
export async function saveState(path: string, state: ImportState): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.new`, `${JSON.stringify(state)}\n`);
  await rename(`${path}.new`, path);
}
