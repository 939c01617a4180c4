import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { testDatabase, type TestDatabase } from '../tests/support/postgres.ts';
import { connect, type Sql } from './client.ts';
import { migrate } from './migrate.ts';
import { dropOldEventLog, missingPartitions, PREMADE_DAYS, PREMADE_MONTHS, premakePartitions } from './partitions.ts';

let database: TestDatabase;
let sql: Sql;
beforeEach(async () => {
  database = await testDatabase();
  sql = database.connection.sql;
});
afterEach(() => database.drop());

const DAY = 86_400_000;
const daysAgo = (days: number): Date => new Date(Date.now() - days * DAY);
const dayName = (date: Date): string => `event_log_${date.toISOString().slice(0, 10).replaceAll('-', '_')}`;
const PREMADE = 2 * (PREMADE_MONTHS + 1) + PREMADE_DAYS + 1;

async function partitionsOf(parent: string): Promise<string[]> {
  const rows = await sql<{ child: string }[]>`
    SELECT c.relname AS child FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = ${parent}::regclass ORDER BY c.relname`;
  return rows.map((row) => row.child);
}

test('migrating again, twice at once, changes nothing', async () => {
  await Promise.all([migrate(database.url), migrate(database.url)]);
  expect(await premakePartitions(sql)).toBe(0);
});

describe('premaking', () => {
  test('rolls over the year and the short month', async () => {
    await premakePartitions(sql, new Date('2031-12-31T23:59:59.999Z'));
    await premakePartitions(sql, new Date('2035-01-31T12:00:00Z'));
    const months = (await partitionsOf('messages')).filter((name) => name > 'messages_2031');
    expect(months).toEqual(['2031_12', '2032_01', '2032_02', '2032_03', '2035_01', '2035_02', '2035_03', '2035_04'].map((m) => `messages_${m}`));
    const days = await partitionsOf('event_log');
    expect(days).toEqual(expect.arrayContaining(['event_log_2031_12_31', 'event_log_2032_01_01', 'event_log_2032_01_14', 'event_log_2035_02_14']));
    expect(days).not.toContain('event_log_2032_01_15');
  });

  test('cuts at midnight UTC whatever the session believes the time zone to be', async () => {
    const elsewhere = connect(`${database.url}?TimeZone=Pacific%2FAuckland`, { max: 1, applicationName: 'colink-test' });
    await premakePartitions(elsewhere.sql, new Date('2031-05-31T13:00:00Z'));
    await elsewhere.close();
    expect(await premakePartitions(sql, new Date('2031-05-31T13:00:00Z'))).toBe(0);
    const [row] = await sql`SELECT pg_get_expr(relpartbound, oid) AS bound FROM pg_class WHERE relname = 'event_log_2031_05_31'`;
    expect(row?.['bound']).toBe("FOR VALUES FROM ('2031-05-31 00:00:00+00') TO ('2031-06-01 00:00:00+00')");
  });

  test('by several callers at once makes each partition once', async () => {
    const made = await Promise.all([1, 2, 3, 4].map(() => premakePartitions(sql, new Date('2031-06-15T00:00:00Z'))));
    expect(made.toSorted((a, b) => a - b)).toEqual([0, 0, 0, PREMADE]);
  });

  test('does not wait for writers of the tables', async () => {
    await sql.begin(async (writer) => {
      await writer`LOCK TABLE messages, event_log, search_messages IN ROW EXCLUSIVE MODE`;
      expect(await premakePartitions(sql, new Date('2031-06-15T00:00:00Z'))).toBe(PREMADE);
    });
  });

  test('gives partitions the indexes of their parent', async () => {
    await premakePartitions(sql, new Date('2031-06-15T00:00:00Z'));
    const unattached = await sql`
      SELECT c.relname FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
      WHERE t.relispartition AND NOT c.relispartition`;
    expect(unattached).toHaveLength(0);
  });

  test('reports what is missing until it is made', async () => {
    expect(await missingPartitions(sql)).toEqual([]);
    await sql`DROP TABLE ${sql(dayName(daysAgo(-3)))}`;
    expect(await missingPartitions(sql)).toEqual([dayName(daysAgo(-3))]);
    await premakePartitions(sql);
    expect(await missingPartitions(sql)).toEqual([]);
  });
});

describe('UUIDv7 bounds', () => {
  test.each([
    ['the last of a month', '2031-05-31T23:59:59.999Z', 'ffff-bfff-ffffffffffff', 'messages_2031_05'],
    ['the first of a month', '2031-06-01T00:00:00.000Z', '7000-8000-000000000000', 'messages_2031_06'],
    ['the last of a year', '2031-12-31T23:59:59.999Z', '7fff-bfff-ffffffffffff', 'messages_2031_12'],
    ['the first of a year', '2032-01-01T00:00:00.000Z', '7000-8000-000000000000', 'messages_2032_01'],
  ])('%s lies in its partition', async (_, at, tail, partition) => {
    await premakePartitions(sql, new Date(at));
    const time = new Date(at).getTime().toString(16).padStart(12, '0');
    const id = `${time.slice(0, 8)}-${time.slice(8)}-${tail}`;
    const [row] = await sql`
      INSERT INTO messages (id, channel_id, seq, pos, author_id, client_msg_id, text, created_at)
      VALUES (${id}, ${id}, 1, 1, ${id}, 'c', 't', ${at}) RETURNING tableoid::regclass::text AS partition`;
    expect(row?.['partition']).toBe(partition);
  });
});

describe('dropping old days of event_log', () => {
  beforeEach(async () => {
    await premakePartitions(sql, daysAgo(40));
  });
  const retention = { retentionDays: 30 };

  test('takes whole days past retention and no more', async () => {
    const dropped = await dropOldEventLog(sql, retention);
    expect(dropped).toEqual(Array.from({ length: 10 }, (_, i) => dayName(daysAgo(40 - i))));
    expect(await partitionsOf('event_log')).toContain(dayName(daysAgo(30)));
    expect(await dropOldEventLog(sql, retention)).toEqual([]);
  });

  test('keeps what the relay still needs', async () => {
    await sql`INSERT INTO relay_states (shard, base, base_taken_at) VALUES
      (0, pg_current_snapshot(), now()), (1, pg_current_snapshot(), ${daysAgo(35).toISOString()})`;
    const dropped = await dropOldEventLog(sql, retention);
    expect(dropped).toEqual([40, 39, 38, 37].map((days) => dayName(daysAgo(days))));
  });

  test('keeps what another reader still needs', async () => {
    expect(await dropOldEventLog(sql, { ...retention, keepFrom: daysAgo(38) })).toEqual([dayName(daysAgo(40)), dayName(daysAgo(39))]);
  });

  test('finishes a run that was cut off while detaching', async () => {
    const cutOff = connect(`${database.url}?statement_timeout=300`, { max: 2, applicationName: 'colink-test' });
    await sql.begin(async (reader) => {
      await reader`SELECT position FROM event_log LIMIT 1`;
      await expect(dropOldEventLog(cutOff.sql, retention)).rejects.toThrow('statement timeout');
    });
    await cutOff.close();
    expect(await dropOldEventLog(sql, retention)).toHaveLength(10);
    expect(await partitionsOf('event_log')).not.toContain(dayName(daysAgo(40)));
  });

  test('finishes a run that was cut off before the drop', async () => {
    await sql`ALTER TABLE event_log DETACH PARTITION ${sql(dayName(daysAgo(40)))}`;
    expect(await dropOldEventLog(sql, retention)).toHaveLength(10);
  });

  test('by two at once is done by one', async () => {
    const [first, second] = await Promise.all([dropOldEventLog(sql, retention), dropOldEventLog(sql, retention)]);
    expect([first, second].map((names) => names.length).toSorted((a, b) => a - b)).toEqual([0, 10]);
  });
});
