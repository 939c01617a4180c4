import { createHash } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { verifyAudit } from '../cli/audit.ts';
import { type AuditHead, type AuditRow, auditRowSchema, NO_AUDIT_HEAD } from '../protocol/audit.ts';
import { testDatabase, type TestDatabase } from '../tests/support/postgres.ts';
import { auditBytes } from './audit-chain.ts';
import type { Database, Transaction } from './client.ts';
import { type Act, actAs, findAuditHead, listAudit, readAudit, recordAct } from './queries/audit.ts';

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await testDatabase();
  ({ db } = database.connection);
});
afterAll(() => database.drop());

const ADA = uuidv7();
const roleChange = (id = uuidv7()): Act => ({ act: 'user.role_changed', target: ['user', id], details: { from: 'member', to: 'Zoë "the" moderator\n💥' } });

const act = (what: Act, more: (tx: Transaction) => Promise<void> = async () => {}): Promise<void> =>
  db.transaction(async (tx) => {
    await actAs(tx, { actorId: ADA, credentialId: uuidv7(), requestId: 'r-1' });
    await recordAct(tx, what);
    await more(tx);
  });

const verify = (kept: AuditHead = NO_AUDIT_HEAD) => verifyAudit(db, kept);
const waiting = async () => (await db.execute(sql`SELECT 1 FROM audit_intake`)).length;

/** What somebody who may do anything to the database can do. */
async function tamper(statement: ReturnType<typeof sql>): Promise<void> {
  await db.transaction(async (tx) => {
    await tx.execute(sql`ALTER TABLE audit_log DISABLE TRIGGER audit_log_append_only`);
    await tx.execute(statement);
    await tx.execute(sql`ALTER TABLE audit_log ENABLE TRIGGER audit_log_append_only`);
  });
}

/** What is found of the log after that was done to it, which is then undone. */
async function faultAfter(...statements: readonly ReturnType<typeof sql>[]) {
  await db.execute(sql`CREATE TABLE kept AS SELECT * FROM audit_log`);
  for (const statement of statements) await tamper(statement);
  const { fault } = await verify();
  await tamper(sql`DELETE FROM audit_log`);
  await tamper(sql`INSERT INTO audit_log SELECT * FROM kept`);
  await db.execute(sql`DROP TABLE kept`);
  return fault;
}

describe('an act', () => {
  it('is a row of the chain when its transaction commits, and not there when it does not', async () => {
    const before = await findAuditHead(db);
    await act(roleChange());
    await expect(act(roleChange(), () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    await act(roleChange());
    expect([(await findAuditHead(db)).seq, await waiting()]).toEqual([before.seq + 2, 0]);
    expect(await verify()).toEqual({ head: await findAuditHead(db), fault: null });
    for (const row of await readAudit(db, 0, 100)) expect(auditRowSchema.parse(row)).toMatchObject({ actor_id: ADA, request_id: 'r-1' });
  });

  it('by nobody, or that tells too much, fails its transaction', async () => {
    const before = await findAuditHead(db);
    await expect(db.transaction((tx) => recordAct(tx, roleChange()))).rejects.toThrow('Failed query');
    await expect(act({ ...roleChange(), details: { text: 'x'.repeat(9_000) } })).rejects.toThrow('Failed query');
    expect(await findAuditHead(db)).toEqual(before);
  });

  it('of many transactions at once has its place in the order of commits, without gaps, and nobody waits for one that is open', async () => {
    const { seq } = await findAuditHead(db);
    let release = (): void => {};
    const open = act(roleChange(), () => new Promise((resolve) => (release = resolve)));
    // It has recorded its act and goes on for a while; others commit meanwhile.
    await Promise.all(Array.from({ length: 40 }, () => act(roleChange())));
    release();
    await open;
    const rows = await readAudit(db, seq, 100);
    expect(rows.map((row) => row.seq)).toEqual(Array.from({ length: 41 }, (_, n) => seq + 1 + n));
    expect(rows.map(({ at }) => at)).toEqual(rows.map(({ at }) => at).toSorted());
    expect((await verify()).fault).toBeNull();
  });

  it('is found by actor, act, target and time', async () => {
    const target = uuidv7();
    await act({ act: 'bot.created', target: ['user', target] });
    const head = await findAuditHead(db);
    const of = async (filter: Parameters<typeof listAudit>[1]) => (await listAudit(db, filter, null, 100)).map(({ seq }) => seq);
    expect(await of({ target })).toEqual([head.seq]);
    expect(await of({ act: 'bot.created', actor: ADA })).toEqual([head.seq]);
    expect(await of({ actor: uuidv7() })).toEqual([]);
    expect(await of({ since: '2999-01-01T00:00:00Z' })).toEqual([]);
    expect((await of({ until: '2999-01-01T00:00:00Z' }))[0]).toBe(head.seq);
    expect(await of({ until: '2000-01-01T00:00:00Z' })).toEqual([]);
    expect((await listAudit(db, {}, head.seq, 1))[0]?.seq).toBe(head.seq - 1);
  });
});

describe('the chain', () => {
  it('takes new rows only', async () => {
    for (const statement of [sql`UPDATE audit_log SET act = 'user.reactivated'`, sql`DELETE FROM audit_log`, sql`TRUNCATE audit_log`]) {
      await expect(db.execute(statement)).rejects.toMatchObject({ cause: { message: 'audit_log takes new rows only' } });
    }
  });

  it.each([
    ['changed', sql`UPDATE audit_log SET details = '{"from":"member","to":"guest"}' WHERE seq = 3`, 3, 'was changed'],
    ['changed in who did it', sql`UPDATE audit_log SET actor_id = gen_random_uuid() WHERE seq = 3`, 3, 'was changed'],
    ['changed, its hash too', sql`UPDATE audit_log SET act = 'bot.created', hash = sha256('x') WHERE seq = 3`, 3, 'was changed'],
    ['taken out', sql`DELETE FROM audit_log WHERE seq = 3`, 3, 'is missing'],
    ['taken out at the start', sql`DELETE FROM audit_log WHERE seq = 1`, 1, 'is missing'],
    ['moved', sql`UPDATE audit_log SET seq = CASE seq WHEN 3 THEN 100003 ELSE seq END WHERE seq = 3`, 3, 'is missing'],
    ['renumbered after another was taken out', sql`WITH gone AS (DELETE FROM audit_log WHERE seq = 3) UPDATE audit_log SET seq = 1000000 WHERE seq = 4`, 3, 'is missing'],
  ])('of which a row was %s says which is the first that is wrong', async (_, statement, seq, what) => {
    expect(await faultAfter(statement)).toMatchObject({ seq, what: expect.stringContaining(what) });
    expect((await verify()).fault).toBeNull();
  });

  it('of which a row was changed or put in the place of another, and sealed anew as it should be, says where what follows does not', async () => {
    const sealedAs = async (seq: number, other: Partial<AuditRow>) => {
      const [row] = await readAudit(db, seq - 1, 1);
      if (row === undefined) throw new Error(`there is no row ${seq}`);
      return createHash('sha256').update(auditBytes({ ...row, ...other })).digest('hex');
    };
    const changed = sql`UPDATE audit_log SET act = 'bot.created', hash = decode(${await sealedAs(3, { act: 'bot.created' })}, 'hex') WHERE seq = 3`;
    expect(await faultAfter(changed)).toEqual({ seq: 4, what: 'does not follow the row before it' });
    const inItsPlace = sql`UPDATE audit_log SET seq = 3, hash = decode(${await sealedAs(4, { seq: 3 })}, 'hex') WHERE seq = 4`;
    expect(await faultAfter(sql`DELETE FROM audit_log WHERE seq = 3`, inItsPlace)).toEqual({ seq: 3, what: 'does not follow the row before it' });
  });

  it('that was cut off, or made anew, is told from the one whose head was kept, and from that alone', async () => {
    const kept = await findAuditHead(db);
    await act(roleChange());
    expect(await verify(kept)).toMatchObject({ head: { seq: kept.seq + 1 }, fault: null });
    await tamper(sql`DELETE FROM audit_log WHERE seq >= ${kept.seq}`);
    expect([(await verify()).fault, (await verify(kept)).fault]).toEqual([null, { seq: kept.seq, what: `is missing: the head that was kept is ${kept.seq}` }]);
    await act(roleChange());
    expect([(await verify()).fault, (await verify(kept)).fault]).toEqual([null, { seq: kept.seq, what: 'is not the row of the head that was kept' }]);
  });
});
