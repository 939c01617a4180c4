import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connect, type Connection, type Database } from '../../db/client.ts';
import { findWritePosition } from '../../db/queries/replication.ts';
import { type RunningPostgres, startPostgres } from '../../dev/postgres.ts';
import { type Replica, startReplica } from '../../tests/support/replica.ts';
import { ProblemError } from '../problems.ts';
import type { PrimaryReason } from './fitness.ts';
import { type NearRead, type OnServer, type ReadSource, ReplicaReads, REST_MS } from './replica-reads.ts';

let directory: string;
let server: RunningPostgres;
let replica: Replica;
let primary: Connection;
let standby: Connection;
let reads: ReplicaReads;
let reasons: (PrimaryReason | null)[];
let probes: Promise<unknown>[];

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'colink-primary-'));
  chmodSync(directory, 0o755);
  server = await startPostgres({ dataDir: join(directory, 'postgres'), settings: { fsync: 'off' } });
  replica = await startReplica(server);
  primary = connect(server.url, { max: 2, applicationName: 'colink-test' });
  standby = connect(replica.url, { max: 2, applicationName: 'colink-test' });
  await primary.sql`CREATE TABLE notes (text text NOT NULL)`;
});
afterAll(async () => {
  await Promise.all([primary?.close(1), standby?.close(1)]);
  await replica?.stop();
  await server?.stop();
  rmSync(directory, { recursive: true, force: true });
});
beforeEach(async () => {
  await primary.sql`DELETE FROM notes`;
  await write('old');
  await replica.caughtUp();
  [reasons, probes] = [[], []];
  // A replica on a busy machine is no slow one.
  reads = readsWith(10_000);
});

const readsWith = (patienceMs?: number): ReplicaReads => new ReplicaReads({ recordRead: (reason) => reasons.push(reason), recordReplicaLag: () => {} }, patienceMs);

const write = (text: string) => primary.sql`INSERT INTO notes VALUES (${text})`;
const on = (connection: Connection): OnServer => (work) => work(connection);
const source = (more: Partial<ReadSource> = {}): ReadSource => ({ primary: on(primary), replica: on(standby), wanted: null, later: (work) => void probes.push(work), ...more });

async function newest(db: Database): Promise<string | undefined> {
  const [row] = await db.execute<{ text: string }>(sql`SELECT text FROM notes ORDER BY text LIMIT 1`);
  return row?.text;
}
const NOTES: NearRead<string | undefined> = { read: newest, confirm: async () => true };
const away: OnServer = () => Promise.reject(new Error('away'));

async function whilePaused(work: () => Promise<void>): Promise<void> {
  await replica.pause();
  await write('new').finally(() => {});
  await work().finally(() => replica.resume());
}

describe('a read of a replica', () => {
  it('shows what it has, and what the caller has written only from where that is', async () => {
    await whilePaused(async () => {
      const written = await findWritePosition(primary.sql);
      expect(await reads.read(source(), NOTES)).toBe('old');
      expect(await reads.read(source({ wanted: written }), NOTES)).toBe('new');
      expect(reasons).toEqual([null, 'behind']);
    });
    await replica.caughtUp();
    expect(await reads.read(source({ wanted: await findWritePosition(primary.sql) }), NOTES)).toBe('new');
    expect(reasons.at(-1)).toBeNull();
  });

  it('is confirmed by the primary, after it was read, and with what was read (G5)', async () => {
    const acts: string[] = [];
    const read = async (db: Database) => {
      await sleep(100);
      acts.push(db === standby.db ? 'replica read' : 'primary read');
      return newest(db);
    };
    const confirm = async (db: Database, value: unknown) => acts.push(`${db === primary.db ? 'primary' : 'replica'} confirms ${value}`) < 0;
    expect(await reads.read(source(), { read, confirm })).toBe('old');
    expect(acts).toEqual(['replica read', 'primary confirms old', 'primary read']);
    expect(reasons).toEqual(['refused']);
  });

  it('that is refused there is asked of the primary, whose refusal stands', async () => {
    const hidden = async (db: Database) => {
      if (db === standby.db) throw new ProblemError({ code: 'not_found' });
      return newest(db);
    };
    for (let n = 0; n < 4; n++) expect(await reads.read(source(), { ...NOTES, read: hidden })).toBe('old');
    expect(reasons).toEqual(['refused', 'refused', 'refused', 'refused']);
    const refuse = () => Promise.reject(new ProblemError({ code: 'not_found' }));
    await expect(reads.read(source(), { ...NOTES, read: refuse })).rejects.toMatchObject({ problem: { code: 'not_found' } });
  });

  it('is none where there is no replica, or where what should be one is a server of its own', async () => {
    expect(await reads.read(source({ replica: null }), NOTES)).toBe('old');
    expect(await reads.read(source({ replica: on(primary) }), NOTES)).toBe('old');
    expect(reasons).toEqual(['not_configured', 'no_replica']);
  });
});

describe('a replica that fails', () => {
  it('rests after three times, costs nothing while it rests, and is back after one look behind a request', async () => {
    let tries = 0;
    const failing: OnServer = (work) => {
      tries += 1;
      return away(work);
    };
    for (let n = 0; n < 8; n++) expect(await reads.read(source({ replica: failing }), NOTES)).toBe('old');
    expect(tries).toBe(3);
    expect(reasons).toEqual(['failed', 'failed', 'failed', ...Array.from({ length: 5 }, () => 'resting')]);
    await sleep(REST_MS + 50);
    await reads.read(source({ replica: failing }), NOTES);
    await Promise.all(probes);
    expect([tries, reasons.at(-1)]).toEqual([4, 'resting']);
    await sleep(REST_MS + 50);
    await reads.read(source(), NOTES);
    await Promise.all(probes);
    await reads.read(source(), NOTES);
    expect(reasons.slice(-2)).toEqual(['resting', null]);
  });

  it('by never answering is waited for half a second', async () => {
    const since = performance.now();
    expect(await readsWith().read(source({ replica: () => new Promise(() => {}) }), NOTES)).toBe('old');
    expect(performance.now() - since).toBeGreaterThan(450);
    expect(performance.now() - since).toBeLessThan(10_000);
  });

  it('by lagging rests as well', async () => {
    await replica.pause();
    try {
      await write('new');
      await sleep(5_200);
      for (let n = 0; n < 4; n++) expect(await reads.read(source(), NOTES)).toBe('new');
      expect(reasons).toEqual(['lagging', 'lagging', 'lagging', 'resting']);
    } finally {
      await replica.resume();
    }
  });

  it('is no matter of a primary that fails: that is told', async () => {
    await expect(reads.read(source({ primary: away }), NOTES)).rejects.toThrow('away');
  });
});
