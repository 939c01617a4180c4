import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { scopeSchema } from '../protocol/scopes.ts';
import { GENERAL_TEXTS, SLACK_EXPORT } from '../tests/support/slack-export.ts';
import { startWorld, type World, type WorldUser } from '../tests/support/world.ts';
import { zipOf } from '../tests/support/zip.ts';

let world: World;
let admin: WorldUser;
beforeAll(async () => {
  world = await startWorld('admin');
  admin = await world.user('alice', { scopes: scopeSchema.options });
  await world.db.execute(sql`UPDATE users SET role = 'admin' WHERE id = ${admin.id}`);
  await writeFile(join(world.dataDir, 'slack.zip'), zipOf(SLACK_EXPORT));
});
afterAll(() => world?.close());

/** The command as a person types it, in a folder of its own. */
const colink = (...args: string[]) =>
  new Promise<{ code: number; output: string }>((resolve) => {
    const env = { ...process.env, COLINK_TOKEN: admin.token, COLINK_URL: world.baseUrl, DATABASE_URL: world.postgresUrl };
    execFile(process.execPath, [join(import.meta.dirname, 'main.ts'), ...args], { cwd: world.dataDir, env }, (error, out, err) => resolve({ code: error === null ? 0 : Number(error.code), output: out + err }));
  });

const textsOf = async (name: string): Promise<string[]> => {
  const rows = await world.db.execute<{ text: string }>(sql`SELECT m.text FROM messages m JOIN channels ch ON ch.id = m.channel_id WHERE ch.name = ${name} AND m.origin IS NOT NULL ORDER BY m.seq`);
  return rows.map(({ text }) => text);
};

test('an export of Slack is imported, and imported again without a message more (G2)', async () => {
  expect(await colink('import', 'slack', 'slack.zip', '--include', 'private')).toMatchObject({ code: 0, output: expect.stringContaining('7 posted, 0 of them were there already') });
  await expect.poll(() => textsOf('general'), { timeout: 15_000 }).toEqual(GENERAL_TEXTS);
  await expect.poll(() => textsOf('slack-d01'), { timeout: 15_000 }).toEqual(['between us']);
  const kinds = await world.db.execute<{ kind: string }>(sql`SELECT kind FROM channels WHERE name IN ('engine-room', 'slack-d01', 'slack-g02')`);
  expect(kinds.map(({ kind }) => kind)).toEqual(['private', 'private', 'private']);
  const again = await colink('import', 'slack', 'slack.zip');
  expect(again).toMatchObject({ code: 0, output: expect.stringContaining('general is done') });
  await world.db.execute(sql`SELECT 1`);
  expect(await textsOf('general')).toEqual(GENERAL_TEXTS);
});

test('all of it is exported, and a file that was cut off is gone on with (G2)', async () => {
  expect(await colink('export', '--to', 'all.jsonl', '--include', 'private')).toMatchObject({ code: 0, output: expect.stringMatching(/7 messages/) });
  const whole = await readFile(join(world.dataDir, 'all.jsonl'), 'utf8');
  for (const text of ['between us', ...GENERAL_TEXTS]) expect(whole).toContain(JSON.stringify(text));
  await writeFile(join(world.dataDir, 'all.jsonl'), whole.slice(0, whole.length * 0.6));
  expect((await colink('export', '--to', 'all.jsonl')).code).toBe(0);
  expect(await readFile(join(world.dataDir, 'all.jsonl'), 'utf8')).toBe(whole);
  await colink('export', '--to', 'public.jsonl');
  expect(await readFile(join(world.dataDir, 'public.jsonl'), 'utf8')).not.toMatch(/between us|secret plans/);
});

test('the audit log holds, and a row that was changed is named', async () => {
  const { output } = await colink('audit', 'head');
  await writeFile(join(world.dataDir, 'head.json'), output);
  expect(await colink('audit', 'verify', '--from-head', 'head.json')).toMatchObject({ code: 0, output: expect.stringMatching(/^\d+ rows, each as it was written/) });
  await world.db.transaction(async (tx) => {
    await tx.execute(sql`ALTER TABLE audit_log DISABLE TRIGGER audit_log_append_only`);
    await tx.execute(sql`UPDATE audit_log SET details = '{"include_private":false}' WHERE act = 'export.started' AND details::text LIKE '%true%'`);
  });
  expect(await colink('audit', 'verify')).toMatchObject({ code: 1, output: expect.stringMatching(/^row \d+ was changed/) });
});
