import { chown, cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { chmodSync } from 'node:fs';
import { connect, type Connection } from '../../db/client.ts';
import { type RunningPostgres, startPostgres } from '../../dev/postgres.ts';
import { serviceUser } from '../../dev/unprivileged.ts';
import { eventually } from './event-log.ts';
import { signalPostgres } from './signal-postgres.ts';

/** Files of a data directory that belong to the running server. */
const OF_THE_SERVER = new Set(['postmaster.pid', 'launcher.pid', 'postmaster.opts', 'server.log']);

/** A streaming replica of a Postgres that `startPostgres` runs. */
export interface Replica {
  readonly url: string;
  readonly dataDir: string;
  /** From here on it shows an ever older past. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Waits until it shows all that the primary has committed by now. */
  caughtUp(): Promise<void>;
  signal(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void;
  /** After it was killed, on the same port. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Copies the primary's data while it runs and starts a standby from it. No program of a backup is needed, for the packaged Postgres brings none: the
 * functions that such programs call are Postgres' own (its manual, "Making a Base Backup Using the Low Level API").
 */
export async function startReplica(primary: RunningPostgres): Promise<Replica> {
  const directory = await mkdtemp(join(tmpdir(), 'colink-replica-'));
  // Postgres refuses root, and its stand-in has to enter.
  chmodSync(directory, 0o755);
  const dataDir = join(directory, 'postgres');
  const admin = connect(primary.url, { max: 1, applicationName: 'colink-replica-test' });
  await copyRunning(admin, primary.dataDir, dataDir);
  const settings = { primary_conninfo: `host=127.0.0.1 port=${primary.port} user=colink`, log_statement: 'all', log_parameter_max_length: '0' };
  let server = await startPostgres({ dataDir, settings });
  const { url, port } = server;
  const standby = connect(url, { max: 1, applicationName: 'colink-replica-test' });
  return {
    url,
    dataDir,
    pause: () => pauseReplay(standby),
    resume: async () => void (await standby.sql`SELECT pg_wal_replay_resume()`),
    caughtUp: () => catchUp(admin, standby),
    signal: (signal) => signalPostgres(server.pid, signal),
    restart: async () => {
      await server.exited;
      server = await startPostgres({ dataDir, port, settings });
    },
    stop: async () => {
      await Promise.all([admin.close(1), standby.close(1)]);
      await server.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Pausing is a request, which replay takes up between two records. */
async function pauseReplay({ sql }: Connection): Promise<void> {
  await sql`SELECT pg_wal_replay_pause()`;
  await eventually(async () => {
    const [row] = await sql<[{ state: string }]>`SELECT pg_get_wal_replay_pause_state() AS state`;
    return row.state === 'paused';
  }, 15_000);
}

async function copyRunning({ sql }: Connection, from: string, to: string): Promise<void> {
  await sql`SELECT pg_backup_start('replica', fast => true)`;
  await cp(from, to, { recursive: true, filter: (path) => !OF_THE_SERVER.has(basename(path)) });
  const [end] = await sql<[{ labelfile: string }]>`SELECT labelfile FROM pg_backup_stop(wait_for_archive => false)`;
  await writeFile(join(to, 'backup_label'), end.labelfile);
  await writeFile(join(to, 'standby.signal'), '');
  await own(to);
}

async function own(directory: string): Promise<void> {
  chmodSync(directory, 0o700);
  const user = serviceUser();
  if (user === null) return;
  const entries = await readdir(directory, { recursive: true });
  await Promise.all(['', ...entries].map((entry) => chown(join(directory, entry), user.uid, user.gid)));
}

async function catchUp(primary: Connection, standby: Connection): Promise<void> {
  const [now] = await primary.sql<[{ position: string }]>`SELECT pg_current_wal_flush_lsn() AS position`;
  await eventually(async () => {
    const [row] = await standby.sql<[{ there: boolean }]>`SELECT pg_last_wal_replay_lsn() >= ${now.position}::pg_lsn AS there`;
    return row.there;
  }, 15_000);
}
