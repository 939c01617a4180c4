import { expect, it } from 'vitest';
import type { FileNews } from '../../protocol/announcements.ts';
import { channelEventSchema } from '../../protocol/events.ts';
import { nodeSqlite } from '../../tests/support/node-sqlite.ts';
import { ALICE, conversation, id, logged, NOW, reopen } from '../../tests/support/room-core.ts';
import { announceFiles } from './file-news.ts';

const news = (file: number, version: number, status: FileNews['status'] = 'clean'): FileNews => ({
  event_id: id(8, file * 100 + version), file_id: id(7, file), actor_id: ALICE.user_id, status, thumbnails: [], version,
});

it('announces each change of a file once, under the id of its event, also after the room was opened anew (G2)', () => {
  const sql = nodeSqlite();
  const room = conversation({ sql });
  expect(announceFiles(room, [news(1, 2), news(2, 2), news(1, 2)], NOW)).toHaveLength(2);
  expect(announceFiles(room, [news(1, 2), news(1, 1)], NOW)).toEqual([]);
  const again = reopen(sql);
  expect(announceFiles(again, [news(2, 2)], NOW)).toEqual([]);
  expect(announceFiles(again, [news(1, 3, 'deleted'), news(1, 2)], NOW)).toHaveLength(1);
  const events = logged(again).map((event) => channelEventSchema.parse(event));
  expect(events.map((event) => [event.type, event.seq, event.id])).toEqual([['file.changed', 1, id(8, 102)], ['file.changed', 2, id(8, 202)], ['file.changed', 3, id(8, 103)]]);
});

it('is known to a room that was laid before there were files', () => {
  const sql = nodeSqlite();
  conversation({ sql });
  sql.run('DROP TABLE file_versions');
  expect(announceFiles(reopen(sql), [news(1, 2)], NOW)).toHaveLength(1);
});
