import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify, stripVTControlCharacters } from 'node:util';

/** The version of `pom.xml`. */
export const KAFKA_VERSION = '4.3.1';

const FETCH_TIMEOUT_MS = 60_000;

/** Where the broker's jars are kept, outside the checkout so that cleaning it does not fetch them again. */
export function jarsDirectory(env: NodeJS.ProcessEnv = process.env): string {
  return join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'colink', `kafka-${KAFKA_VERSION}`);
}

/** The directory appears whole, by a rename, so that its presence says it is complete. */
export const jarsPresent = (directory = jarsDirectory()): boolean => existsSync(join(directory, `kafka_2.13-${KAFKA_VERSION}.jar`));

/** Gets the jars (43 MB) with Maven unless they are there. Resolves to their directory; rejects with Maven's own last words. */
export async function fetchJars(maven: string, { directory = jarsDirectory(), timeoutMs = FETCH_TIMEOUT_MS } = {}): Promise<string> {
  if (jarsPresent(directory)) return directory;
  const scratch = await mkdtemp(join(tmpdir(), 'colink-kafka-jars-'));
  try {
    await copyDependencies(maven, scratch, timeoutMs);
    await putInPlace(scratch, directory);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return directory;
}

async function copyDependencies(maven: string, target: string, timeout: number): Promise<void> {
  const pom = join(dirname(fileURLToPath(import.meta.url)), 'pom.xml');
  const args = ['-B', '-q', '-f', pom, 'dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${target}`];
  await promisify(execFile)(maven, args, { timeout }).catch((error: Error & { stdout?: string; killed?: boolean }) => {
    throw new Error(`Maven could not get its jars: ${error.killed ? `not within ${timeout / 1_000} s` : firstFault(error.stdout || error.message)}`);
  });
}

/** The first thing Maven complains of, in one line without colours. */
function firstFault(output: string): string {
  const line = stripVTControlCharacters(output).split('\n').find((text) => text.includes('[ERROR]')) ?? output;
  return line.replace('[ERROR]', '').split(' -> ')[0]?.trim().slice(0, 200) ?? '';
}

/** Through a sibling, because the scratch directory may be on another file system and a rename has to be one step. */
async function putInPlace(scratch: string, directory: string): Promise<void> {
  const sibling = `${directory}.${process.pid}`;
  await mkdir(dirname(directory), { recursive: true });
  await cp(scratch, sibling, { recursive: true });
  await rename(sibling, directory).catch(async (error: unknown) => {
    await rm(sibling, { recursive: true, force: true });
    // Another process was faster.
    if (!jarsPresent(directory)) throw error;
  });
}
