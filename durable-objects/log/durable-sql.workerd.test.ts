import { env } from 'cloudflare:workers';
import { runInDurableObject } from 'cloudflare:test';
import { expect, it } from 'vitest';
import { durableSql } from './durable-sql.ts';

const stub = () => env.INBOXES.getByName('durable-sql');

const count = () => runInDurableObject(stub(), (_, state) => durableSql(state).all<{ n: number }>('SELECT count(*) AS n FROM turns')[0]?.n);

it('keeps nothing of a turn that fails, and ends the instance (G1)', async () => {
  await runInDurableObject(stub(), (_, state) => {
    const sql = durableSql(state);
    sql.run('CREATE TABLE turns (id INTEGER PRIMARY KEY)');
    sql.turn(() => sql.run('INSERT INTO turns (id) VALUES (?)', 1));
  });
  const failing = runInDurableObject(stub(), (_, state) => {
    const sql = durableSql(state);
    sql.turn(() => {
      for (let id = 2; id < 1_000; id++) sql.run('INSERT INTO turns (id) VALUES (?)', id);
      throw new Error('the disk is full');
    });
  });
  await expect(failing).rejects.toThrow('the disk is full');
  expect(await count()).toBe(1);
});

it('says how many rows a statement wrote', () =>
  runInDurableObject(stub(), (_, state) => {
    const sql = durableSql(state);
    sql.run('CREATE TABLE IF NOT EXISTS once (id TEXT PRIMARY KEY) WITHOUT ROWID');
    const insert = () => sql.run('INSERT INTO once (id) VALUES (?) ON CONFLICT DO NOTHING', 'a');
    expect([insert() > 0, insert() > 0]).toEqual([true, false]);
  }));
