import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import type { Connection } from '../../db/client.ts';
import { editLetter, showLetter } from '../../db/dead-letters/edit.ts';
import { redriveLetters } from '../../db/queries/dead-letter-acts.ts';
import { listDeadLetters } from '../../db/queries/dead-letter-reads.ts';
import type { DeadLetterDetail, LetterEdit } from '../../protocol/dead-letters.ts';
import { created, eventually } from './event-log.ts';
import { readLedger } from '../../consumers/runtime/ledger.fixture.ts';
import type { SourceRecord } from '../../consumers/runtime/record.ts';

type Raw = Pick<SourceRecord, 'key' | 'value' | 'headers'>;
type Fix = Omit<LetterEdit, 'force'>;

/** A record that no group can take, and what makes an event of its `owner`, which is a key of its own. */
export interface Poison extends Raw {
  readonly name: string;
  readonly owner: string;
  readonly errorClass: string;
  readonly fix: Fix;
}

const LARGE = 1_000_000;

/** Every kind. */
export function poisons(): Poison[] {
  const good = JSON.stringify(created(1));
  const value = (bytes: Buffer | string | null): { change: Partial<Raw>; fix: Fix } => ({ change: { value: bytes === null ? null : Buffer.from(bytes) }, fix: { value: good } });
  const type = (header: Buffer | string): { change: Partial<Raw>; fix: Fix } => ({ change: { headers: { ce_type: header } }, fix: { headers: { ce_type: 'colink.message.created.v1' } } });
  const owners = Array.from({ length: 2 }, () => randomUUID());
  const key = (bytes: Buffer | null, owner = ''): { change: Partial<Raw>; fix: Fix; owner: string } => ({ change: { key: bytes }, fix: { key: owner }, owner });
  const kinds: [string, string, { change: Partial<Raw>; fix: Fix; owner?: string }][] = [
    ['bad JSON', 'bad_json', value('{"type":')],
    ['no UTF-8', 'bad_json', value(Buffer.from([0x22, 0xff, 0x22]))],
    ['a NUL byte', 'bad_json', value('\0')],
    ['NUL in a text', 'bad_shape', value(JSON.stringify({ ...created(1), text: 'a\0b' }))],
    ['1 MB', 'bad_shape', value(JSON.stringify(created(1, 'x'.repeat(LARGE))))],
    ['a NULL value', 'no_value', value(null)],
    ['an unknown major version', 'unknown_version', type('colink.message.created.v9')],
    ['a type that is no text', 'bad_type', type(Buffer.from([0, 255]))],
    ['a null key', 'bad_key', key(null, owners[0])],
    ['a key that is no id', 'bad_key', key(Buffer.from([0, 1, 255]), owners[1])],
  ];
  return kinds.map(([name, errorClass, { change, fix, owner = randomUUID() }], n) => {
    const headers = { ce_type: 'colink.message.created.v1', log_position: String(n + 1), owner, ...change.headers };
    return { name, owner, errorClass, key: Buffer.from(owner), value: Buffer.from(good), ...change, headers, fix };
  });
}

const BY = { actor: 'cli:ada', reason: 'repaired' };

/** That each poison lies in the table as it came, is refused again when it is redriven as it is, and is taken once when it is edited (G2). */
export async function expectRepairs(connection: Connection, groupId: string, all: readonly Poison[]): Promise<void> {
  const { db } = connection;
  const show = (id: string): Promise<DeadLetterDetail | null> => db.transaction((tx) => showLetter(tx, id));
  const redrive = (id: string) => db.transaction((tx) => redriveLetters(tx, { selection: { ids: [id] }, after: null, limit: 1 }, BY));
  const ids = await findLetters(connection, groupId, all);
  for (const { name, owner, errorClass, fix } of all) {
    const id = ids.get(owner) ?? '';
    await redrive(id);
    await eventually(async () => (await show(id))?.status === 'pending', 20_000, () => name);
    const before = await show(id);
    expect(before).toMatchObject({ error_class: errorClass, record: { headers: { owner } } });
    expect([name, before?.faults]).not.toEqual([name, []]);
    const edited = await db.transaction((tx) => editLetter(tx, { id, edit: { ...fix, force: false }, by: BY, version: null }));
    expect(edited).toMatchObject({ ok: { faults: [], edited: true, record: before?.record } });
    await redrive(id);
    await eventually(async () => (await show(id))?.status === 'redriven', 20_000, () => name);
  }
  const ledger = await readLedger(connection.sql, groupId);
  for (const { owner, name } of all) expect([name, ledger.get(owner)]).toEqual([name, [1]]);
}

/** By owner, once all are there: a topic may hold what other tests sent. */
async function findLetters({ db }: Connection, groupId: string, all: readonly Poison[]): Promise<Map<string, string>> {
  const ids = new Map<string, string>();
  await eventually(async () => {
    for (const { id } of await listDeadLetters(db, { group: groupId }, null, 1_000)) {
      const owner = (await db.transaction((tx) => showLetter(tx, id)))?.record.headers['owner'];
      if (typeof owner === 'string') ids.set(owner, id);
    }
    return all.every(({ owner }) => ids.has(owner));
  }, 30_000);
  return ids;
}
