import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

/** `.colink/dev.json`: what runs, for programs. It is there while the stack runs and is replaced in one step when a process is. */
export const devFileSchema = z.strictObject({
  /** Of the Worker: API, sockets and page. */
  url: z.url(),
  postgres_url: z.string(),
  /** Null with the embedded transport. */
  kafka_brokers: z.array(z.string()).nullable(),
  event_transport: z.enum(['kafka', 'embedded']),
  /** Of the consumer groups: `/health`, `/ready`, `/metrics`. */
  fleet_url: z.url().nullable(),
  /** Of the outbox relay, which is a process of its own with Kafka only. */
  relay_url: z.url().nullable(),
  pids: z.record(z.string(), z.int()),
  /** Handles one can sign in with and make tokens for. */
  accounts: z.array(z.string()),
  /** The process that supervises all of `pids`. */
  supervisor_pid: z.int(),
});
export type DevFile = z.infer<typeof devFileSchema>;

export const devFilePath = (dataDir: string): string => join(dataDir, 'dev.json');

/** Null where none is, or one that this version did not write. */
export function readDevFile(dataDir: string): DevFile | null {
  try {
    return devFileSchema.safeParse(JSON.parse(readFileSync(devFilePath(dataDir), 'utf8'))).data ?? null;
  } catch {
    return null;
  }
}

export function writeDevFile(dataDir: string, content: DevFile): void {
  const path = devFilePath(dataDir);
  writeFileSync(`${path}.new`, `${JSON.stringify(content, null, 2)}\n`);
  renameSync(`${path}.new`, path);
}

export const removeDevFile = (dataDir: string): void => rmSync(devFilePath(dataDir), { force: true });
