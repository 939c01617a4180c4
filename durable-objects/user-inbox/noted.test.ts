import { uuidv7 } from 'uuidv7';
import { expect, it } from 'vitest';
import { nodeSqlite } from '../../tests/support/node-sqlite.ts';
import { KEPT_NOTES, Noted } from './noted.ts';

const CHANNEL = uuidv7();
const read = (thread_id: string) => ({ type: 'thread.read' as const, channel_id: CHANNEL, thread_id, read_tpos: 1 });

it('what is noted is known by its version, each thing for itself', () => {
  const noted = new Noted(nodeSqlite());
  const thread = uuidv7();
  const draft = (thread_id: string | null) => ({ type: 'draft.changed' as const, channel_id: CHANNEL, thread_id, version: 1, deleted: false });
  const failed = { type: 'scheduled_message.failed' as const, channel_id: CHANNEL, scheduled_message_id: uuidv7(), failure: 'refused' as const };
  const notes = [read(thread), draft(thread), draft(null), failed, { ...failed, scheduled_message_id: uuidv7() }];
  expect(notes.map((note) => noted.admits(note, 2))).toEqual(notes.map(() => true));
  expect(notes.flatMap((note) => [noted.admits(note, 2), noted.admits(note, 1)])).toEqual(notes.flatMap(() => [false, false]));
  expect(noted.admits(read(thread), 3)).toBe(true);
});

it('only the newest are known (G8)', () => {
  const noted = new Noted(nodeSqlite());
  const threads = Array.from({ length: KEPT_NOTES + 1 }, () => read(uuidv7()));
  for (const thread of threads) noted.admits(thread, 1);
  const [first, ...others] = threads;
  expect(others.some((thread) => noted.admits(thread, 1))).toBe(false);
  expect(first && noted.admits(first, 1)).toBe(true);
});
