import { sql as statement } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { uuidv7 } from 'uuidv7';
import { fillArchive } from '../bench/archive.ts';
import { testDatabase, type TestDatabase } from '../tests/support/postgres.ts';
import { insertChannel, insertUser } from '../tests/support/webhook-bed.ts';
import { connect, type Connection } from './client.ts';
import { inOneStatement } from './in-one-statement.ts';
import { plannedOnce } from './planned-once.ts';
import { listMyChannels } from './queries/channels.ts';
import { listMyDirectChannels } from './queries/direct-channels.ts';
import { findMyInbox } from './queries/inbox-cursor.ts';
import { readSpan, type Listing, type Span } from './queries/messages.ts';
import { messageLag } from './queries/search-lag.ts';
import { findMe, listCoMembers } from './queries/users.ts';

let database: TestDatabase;
let kept: Connection;
let anew: Connection;
let channelId: string;
const credential = uuidv7();
beforeAll(async () => {
  database = await testDatabase();
  const { sql } = database.connection;
  const users = [await insertUser(sql), await insertUser(sql)];
  channelId = await insertChannel(sql, users);
  await fillArchive(sql, { channelIds: [channelId], authorIds: users, texts: ['one', 'two'], messages: 20_000 }, () => {});
  await sql`
    INSERT INTO credentials (id, secret_hash, kind, user_id, name, scopes, expires_at)
    VALUES (${credential}, convert_to(${credential}::text, 'UTF8'), 'personal', ${users[0] ?? ''}, 'test', '{}', now() + interval '1 hour')`;
  await sql`ANALYZE`;
  kept = connect(database.url, { max: 1, applicationName: 'kept', keepsStatements: true });
  anew = connect(database.url, { max: 1, applicationName: 'anew' });
});
afterAll(async () => {
  await kept.close();
  await anew.close();
  await database.drop();
});

interface Plans {
  readonly generic: number;
  readonly custom: number;
}

/** How often each statement of a session with this in it was planned for what it was asked, and how often by the plan kept for all. */
async function plansOf({ sql }: Connection, part: string): Promise<Plans[]> {
  const rows = await sql<{ generic: number; custom: number }[]>`
    SELECT generic_plans::int AS generic, custom_plans::int AS custom FROM pg_prepared_statements
    WHERE strpos(statement, ${part}) > 0 AND strpos(statement, 'pg_prepared_statements') = 0`;
  return [...rows];
}

/** Of the statement of the session that keeps them, as Postgres has it. */
async function nameOf(part: string): Promise<string> {
  const [found] = await kept.sql<{ name: string }[]>`SELECT quote_ident(name) AS name FROM pg_prepared_statements WHERE strpos(statement, ${part}) > 0 AND strpos(statement, 'pg_prepared_statements') = 0`;
  return found?.name ?? '';
}

describe('a connection that keeps statements', () => {
  const unnamed = (name: string) => statement`SELECT ${1}::int + 1 AS ${statement.identifier(`two_${name}`)}`;
  const ask = (name: string) => plannedOnce(unnamed(name));

  it('names each once, outside of transactions and inside, and in those that are inside of others', async () => {
    const { db } = kept;
    for (let times = 0; times < 2; times += 1) {
      expect([...(await db.execute(ask('plain')))]).toEqual([{ two_plain: 2 }]);
      await db.transaction(async (tx) => {
        await tx.execute(ask('inside'));
        await tx.transaction((deeper) => deeper.execute(ask('deeper')));
      });
    }
    for (const name of ['plain', 'inside', 'deeper']) expect(await plansOf(kept, `AS "two_${name}"`)).toHaveLength(1);
  });

  it('takes back what a transaction did that failed', async () => {
    await kept.db.execute(statement`CREATE TEMPORARY TABLE marks (mark integer)`);
    await expect(kept.db.transaction(async (tx) => {
      await tx.execute(plannedOnce(statement`INSERT INTO marks VALUES (${1})`));
      throw new Error('no');
    })).rejects.toThrow('no');
    expect([...(await kept.db.execute(statement`SELECT count(*)::int AS marks FROM marks WHERE mark = ${1}`))]).toEqual([{ marks: 0 }]);
  });

  it('goes on where a column is added, and where one that it returns changes its type: the driver names the statement anew, which a pool that knows it by its text would not', async () => {
    const { sql } = database.connection;
    const read = () => kept.db.execute(plannedOnce(statement`SELECT c.wide FROM changing c WHERE c.wide = ${1}`));
    await sql`CREATE TABLE changing (wide integer)`;
    await sql`INSERT INTO changing VALUES (1)`;
    for (let times = 0; times < 6; times += 1) expect([...(await read())]).toEqual([{ wide: 1 }]);
    await sql`ALTER TABLE changing ADD COLUMN more text`;
    expect([...(await read())]).toEqual([{ wide: 1 }]);
    await sql`ALTER TABLE changing ALTER COLUMN wide TYPE bigint`;
    await expect(kept.sql.unsafe('EXECUTE '.concat(await nameOf('FROM changing c'), '(1)'))).rejects.toThrow('cached plan must not change result type');
    expect([...(await read())]).toEqual([{ wide: '1' }]);
    await sql`DROP TABLE changing`;
  });

  it('names nothing else, and others name nothing', async () => {
    for (let times = 0; times < 2; times += 1) {
      await kept.db.execute(unnamed('unnamed'));
      await anew.db.execute(ask('plain'));
    }
    expect(await plansOf(kept, 'AS "two_unnamed"')).toEqual([]);
    expect(await plansOf(anew, 'AS "two_')).toEqual([]);
  });
});

describe('one plan for all', () => {
  const TIMES = 12;
  const history: Listing = { channelId: '', threadId: null };
  const spans: [string, (n: number) => Span][] = [
    ['the newest page', () => ({ below: null, older: 50, from: 0, newer: 0 })],
    ['a page before', (n) => ({ below: 1_000 * n + 60, older: 50, from: 0, newer: 0 })],
    ['a page after', (n) => ({ below: 0, older: 0, from: 1_000 * n + 1, newer: 50 })],
    ['a page around', (n) => ({ below: 1_000 * n + 60, older: 25, from: 1_000 * n + 60, newer: 25 })],
  ];

  it.each(spans)('serves %s of history, and is as good', async (_, spanOf) => {
    const before = await plansOf(kept, 'FROM messages m');
    for (let n = 0; n < TIMES; n += 1) {
      const [one, other] = await Promise.all([kept, anew].map(({ db }) => readSpan(db, credential, { ...history, channelId }, spanOf(n))));
      expect(one).toEqual(other);
      expect(one).toMatchObject({ ok: { messages: expect.toSatisfy((messages: unknown[]) => messages.length === 50) } });
    }
    const after = await plansOf(kept, 'FROM messages m');
    expect(after).toHaveLength(before.length + 1);
    // Postgres plans five times by what is asked, and then keeps the plan for all if it is no dearer.
    expect(after).toContainEqual({ generic: TIMES - 5, custom: 5 });
    expect(after.every(({ custom }) => custom === 5)).toBe(true);
  });

  it('serves bootstrap', async () => {
    const read = ({ db }: Connection) =>
      inOneStatement(db, (asking) =>
        Promise.all([
          findMyInbox(asking, credential),
          findMe(asking, credential),
          listMyChannels(asking, credential, 1_000),
          listMyDirectChannels(asking, credential, 1_000),
          listCoMembers(asking, credential, 1_000),
        ]),
      );
    for (let n = 0; n < TIMES; n += 1) expect(await read(kept)).toEqual(await read(anew));
    expect(await plansOf(kept, 'inbox_logs')).toEqual([{ generic: TIMES - 5, custom: 5 }]);
  });

  it('serves what a search tells of the lag of its index', async () => {
    for (let n = 0; n < TIMES; n += 1) expect(await messageLag(kept.db, credential)).toEqual(await messageLag(anew.db, credential));
    expect(await plansOf(kept, 'consumer_keys')).toEqual([{ generic: TIMES - 5, custom: 5 }]);
  });
});
