import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Sql } from '../db/client.ts';

/** A statement as the server logged it: who asked, by application name, and what. */
export interface LoggedQuery {
  readonly application: string;
  readonly statement: string;
}

const RELOAD_MS = 300;

/** Lets Postgres log every statement, without its parameters; the returned function ends that and tells what was logged in between. Takes a superuser. */
export async function logQueries(sql: Sql): Promise<() => Promise<LoggedQuery[]>> {
  const [directory] = await sql<[{ data_directory: string }]>`SHOW data_directory`;
  const file = join(directory.data_directory, 'server.log');
  const from = await sizeOf(file);
  await setLogging(sql, 'all');
  return async () => {
    await setLogging(sql, 'none');
    return readQueries(await readFrom(file, from));
  };
}

async function setLogging(sql: Sql, statements: 'all' | 'none'): Promise<void> {
  await sql.unsafe(`ALTER SYSTEM SET log_statement = '${statements}'`);
  await sql.unsafe('ALTER SYSTEM SET log_parameter_max_length = 0');
  await sql`SELECT pg_reload_conf()`;
  await sleep(RELOAD_MS);
}

const ENTRY = /^\S+ \S+ \S+ \[\d+\] (\S*) [A-Z]+: {2}(?:(?:statement|execute [^:]*): *)?/;
const IS_STATEMENT = /LOG: {2}(?:statement|execute [^:]*):/;

/** Of a log whose lines begin with `%m [%p] %a `; a statement of several lines goes on behind tabs. */
export function readQueries(log: string): LoggedQuery[] {
  const entries = log.split(/\n(?!\t)/);
  return entries.filter((entry) => IS_STATEMENT.test(entry.split('\n', 1)[0] ?? '')).map((entry) => ({
    application: ENTRY.exec(entry)?.[1] ?? '',
    statement: entry.replace(ENTRY, '').replaceAll(/\s+/g, ' ').trim(),
  }));
}

async function sizeOf(file: string): Promise<number> {
  await using handle = await open(file);
  return (await handle.stat()).size;
}

async function readFrom(file: string, from: number): Promise<string> {
  await using handle = await open(file);
  const { size } = await handle.stat();
  const buffer = Buffer.alloc(Math.max(0, size - from));
  await handle.read(buffer, 0, buffer.length, from);
  return buffer.toString();
}
