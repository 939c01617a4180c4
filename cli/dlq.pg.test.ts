import { execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { appendToLog, created, eventually } from '../tests/support/event-log.ts';
import { type FleetProcess, startFleetProcess } from '../tests/support/fleet.ts';
import { type TestDatabase, testDatabase } from '../tests/support/postgres.ts';

const MAIN = join(import.meta.dirname, 'main.ts');
const BAD_TYPE = 'colink.message.created.v9';

interface Ended {
  readonly code: number;
  readonly out: string[];
  readonly notes: string;
}

describe('colink dlq, with a fleet that reads the log itself', { timeout: 120_000 }, () => {
  let database: TestDatabase;
  let fleet: FleetProcess;
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'colink-test-'));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));
  beforeEach(async () => {
    database = await testDatabase();
    fleet = await startFleetProcess({ DATABASE_URL: database.url });
  });
  afterEach(async () => {
    await fleet.end('SIGKILL');
    await database.drop();
  });

  const dlq = (...args: string[]): Promise<Ended> =>
    new Promise((resolve) => {
      const env = { PATH: process.env['PATH'], DATABASE_URL: database.url };
      execFile(process.execPath, [MAIN, 'dlq', ...args], { env }, (error, stdout, stderr) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : 0, out: stdout.split('\n').filter((line) => line !== ''), notes: stderr });
      });
    });

  /**
   * Messages of as many channels that the search-indexer cannot read; they are dead letters when this returns. Nor can the webhook-sender, which runs in
   * every fleet: its letters are taken out of the way, so that the numbers below are those of one group.
   */
  async function poison(channels: number): Promise<string[]> {
    const { sql } = database.connection;
    const keys = Array.from({ length: channels }, () => randomUUID());
    const before = await count();
    await appendToLog(sql, keys.map((key) => ({ key, event: created(1, 'from the past'), type: BAD_TYPE })));
    await eventually(async () => (await count()) === before + 2 * channels);
    await sql`DELETE FROM dead_letters WHERE group_id = 'webhook-sender'`;
    return keys;
  }

  const count = async (): Promise<number> => (await database.connection.sql<[{ n: number }]>`SELECT count(*)::integer AS n FROM dead_letters`)[0].n;
  const indexed = async (): Promise<string[]> => (await database.connection.sql<{ id: string }[]>`SELECT channel_id AS id FROM search_messages`).map(({ id }) => id);
  const idsOf = ({ out }: Ended): string[] => out.map((line) => line.slice(0, 36));

  it('goes from the alarm to the repair: stats, list, show, a canary that fails, edit, redrive', async () => {
    const keys = await poison(3);
    expect((await dlq('stats')).notes).toMatch(/^3 pending, the oldest of 20/);
    const listed = await dlq('list', '--group', 'search-indexer', '--error-class', 'unknown_version', '--since', '1h');
    const ids = idsOf(listed);
    expect(ids).toHaveLength(3);
    expect((await dlq('list', '--status', 'redriven')).notes).toContain('there are none');
    const shown = await dlq('show', ids[0] ?? '');
    expect(shown.out.join('\n')).toContain('is not colink.message.created.v1');
    expect(shown.out.join('\n')).toContain('"from the past"');

    expect(await dlq('redrive', '--group', 'search-indexer', '--dry-run')).toMatchObject({ code: 0, notes: '3 would be redriven, in this order; 0 cannot be as they are\n' });
    const canary = await dlq('redrive', '--group', 'search-indexer', '--canary', '1');
    expect(canary).toMatchObject({ code: 1 });
    expect(canary.notes).toContain('the canary failed: the rest was left alone\n0 redriven, 1 failed again, 0 wait');
    expect(await indexed()).toEqual([]);

    for (const id of ids) expect(await dlq('edit', id, '--header', 'ce_type=colink.message.created.v1', '--reason', 'v9 was never released')).toMatchObject({ code: 0 });
    const redriven = await dlq('redrive', '--group', 'search-indexer', '--canary', '1', '--rate', '5/s', '--by', 'ada');
    expect(redriven).toMatchObject({ code: 0 });
    expect(redriven.notes).toContain('3 redriven, 0 failed again, 0 wait');
    expect((await indexed()).toSorted()).toEqual(keys.toSorted());
    expect((await dlq('show', ids[0] ?? '')).out.join('\n')).toMatch(/acts\n.*edit.*"v9 was never released".*\n(.*\n)*.*cli:ada {2}redrive\n.*group:search-indexer {2}succeed/);
    expect((await dlq('stats')).notes).toBe('nothing is pending\n');
  });

  it('a redrive that is interrupted ends between two letters, and the same command goes on', async () => {
    const keys = await poison(3);
    await database.connection.sql`UPDATE dead_letters SET edited_headers = headers || '{"ce_type": "colink.message.created.v1"}'`;
    const args = [MAIN, 'dlq', 'redrive', '--group', 'search-indexer', '--rate', '0.2/s'];
    const child = spawn(process.execPath, args, { env: { PATH: process.env['PATH'], DATABASE_URL: database.url }, stdio: ['ignore', 'ignore', 'pipe'] });
    let notes = '';
    child.stderr.on('data', (bytes) => {
      notes += String(bytes);
      if (!child.killed && notes.includes('1 handed over')) child.kill('SIGINT');
    });
    expect(await once(child, 'close')).toEqual([130, null]);
    expect(notes).toContain('interrupted: the same command goes on from here');
    expect(notes).toContain('2 of the selection are pending');
    expect(await dlq('redrive', '--group', 'search-indexer')).toMatchObject({ code: 0, notes: expect.stringContaining('2 redriven') });
    await eventually(async () => (await indexed()).length === 3);
    expect((await indexed()).toSorted()).toEqual(keys.toSorted());
  });

  it('edits a value from a file by the event\'s schema, and keeps what came', async () => {
    await poison(1);
    const [id = ''] = idsOf(await dlq('list'));
    const file = join(directory, 'fixed.json');
    await writeFile(file, JSON.stringify({ ...created(1, 'repaired'), pos: 'first' }));
    const args = ['edit', id, '--value-file', file, '--header', 'ce_type=colink.message.created.v1', '--reason', 'by hand'];
    expect(await dlq(...args)).toMatchObject({ code: 1, notes: expect.stringContaining('/pos') });
    await writeFile(file, JSON.stringify(created(1, 'repaired')));
    expect(await dlq(...args, '--if-version', '9')).toMatchObject({ code: 1, notes: expect.stringContaining('another version') });
    expect(await dlq(...args)).toMatchObject({ code: 0 });
    const shown = (await dlq('show', id)).out.join('\n');
    expect(shown).toMatch(/came as\n(.*\n)*.*from the past(.*\n)*is redriven as\n(.*\n)*.*repaired/);
    expect((await dlq('redrive', id)).notes).toContain('1 redriven');
    expect((await dlq('redrive', id)).notes).toContain('0 redriven');
  });

  it('discards what is named or filtered, with a reason, and nothing by mistake', async () => {
    await poison(2);
    const [id = ''] = idsOf(await dlq('list'));
    expect(await dlq('discard', id)).toMatchObject({ code: 1, notes: expect.stringContaining('reason') });
    expect(await dlq('discard', '--reason', 'x')).toMatchObject({ code: 1, notes: expect.stringContaining('which ones?') });
    expect(await dlq('discard', id, '--reason', 'x', '--canary', '1')).toMatchObject({ code: 1, notes: expect.stringContaining('canary') });
    expect(await dlq('redrive', id, '--group', 'search-indexer')).toMatchObject({ code: 1, notes: expect.stringContaining('not both') });
    expect(await dlq('burn')).toMatchObject({ code: 1, notes: expect.stringContaining('there is no dlq burn') });
    expect(await dlq('discard', id, '--reason', 'a test message', '--dry-run')).toMatchObject({ code: 0, notes: '1 would be discarded\n' });
    expect(await dlq('discard', id, '--reason', 'a test message')).toMatchObject({ code: 0, notes: '1 discarded, 0 of the selection are pending\n' });
    expect((await dlq('discard', '--all', '--reason', 'the rest')).notes).toBe('1 discarded, 0 of the selection are pending\n');
  });

  it('exports each letter once, over interruptions that cut a line in two', async () => {
    await poison(45);
    const file = join(directory, 'export.jsonl');
    const { out } = await dlq('export');
    const numbers = (lines: readonly string[]): number[] => lines.map((line) => Number(JSON.parse(line).number));
    expect(numbers(out)).toEqual(numbers(out).toSorted((a, b) => a - b));
    expect(new Set(numbers(out)).size).toBe(45);
    expect(JSON.parse(out[0] ?? '')).toMatchObject({ status: 'pending', record: { value: { text: expect.stringContaining('from the past') } } });
    await writeFile(file, `${out.slice(0, 7).join('\n')}\n${out[7]?.slice(0, 50)}`);
    expect((await dlq('export', '--output', file)).notes).toContain('38 exported');
    expect((await dlq('export', '--output', file)).notes).toContain('0 exported');
    expect((await readFile(file, 'utf8')).trimEnd().split('\n')).toEqual(out);
    await appendFile(file, 'something else\n');
    expect(await dlq('export', '--output', file)).toMatchObject({ code: 1, notes: expect.stringContaining('not an export') });
  });
});
