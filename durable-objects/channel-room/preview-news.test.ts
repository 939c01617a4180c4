import { beforeEach, describe, expect, it } from 'vitest';
import type { PreviewNews } from '../../protocol/announcements.ts';
import { channelEventSchema } from '../../protocol/events.ts';
import { MAX_UNDRAINED_EVENTS } from '../../protocol/limits.ts';
import type { SqlDriver } from '../log/sql-driver.ts';
import { nodeSqlite } from '../../tests/support/node-sqlite.ts';
import { ALICE, BOB, conversation, EVE, id, logged, must, NOW, reopen } from '../../tests/support/room-core.ts';
import { applyCommand } from './commands.ts';
import type { Conversation } from './conversation.ts';
import { announcePreviews } from './preview-news.ts';

let sql: SqlDriver;
let room: Conversation;
beforeEach(() => {
  sql = nodeSqlite();
  room = conversation({ sql });
});

type Command = Parameters<typeof applyCommand>[2];
const run = (command: Command, who = ALICE) => room.commit(() => applyCommand(room, who, command, NOW)).value;
const send = (client_msg_id: string, who = ALICE): string => must(run({ type: 'send', client_msg_id, text: 'https://page.example/' }, who)).message_id;
const news = (message_id: string, title = 'A page', revision = 1): PreviewNews => ({ message_id, revision, previews: [{ url: 'https://page.example/', title, description: null, site_name: null }] });
const announce = (...all: readonly PreviewNews[]) => must(announcePreviews(room, all, NOW));
const previews = () => logged(room).map((event) => channelEventSchema.parse(event)).filter(({ type }) => type.startsWith('message.preview'));

describe('what was found at links', () => {
  it('is announced once in the author\'s name, also after the room was opened anew (G2); what has changed, again', () => {
    const message_id = send('a', BOB);
    expect(announce(news(message_id), news(message_id))).toHaveLength(1);
    expect(previews()).toMatchObject([{ type: 'message.previewed', seq: 2, actor_id: BOB.user_id, message_id, revision: 1, previews: [{ title: 'A page' }] }]);
    room = reopen(sql);
    expect(announce(news(message_id))).toEqual([]);
    expect(announce(news(message_id, 'Another'))).toHaveLength(1);
  });

  it('is passed over where the message says something else by now, is deleted, or is not of this channel (P62)', () => {
    const [edited, deleted] = [send('a'), send('b')];
    must(run({ type: 'edit', message_id: edited, text: 'no link' }));
    must(run({ type: 'delete', message_id: deleted }));
    expect(announce(news(edited), news(deleted), news(id(9, 99)))).toEqual([]);
    expect(announce(news(edited, 'As edited', 2))).toHaveLength(1);
  });

  it('is known to a room that was laid before there were previews', () => {
    const message_id = send('a');
    sql.run('DROP TABLE previews');
    room = reopen(sql);
    expect(announce(news(message_id))).toHaveLength(1);
  });

  it('waits where the room holds as many unstored events as it may (G8)', () => {
    const message_id = send('a');
    while (room.log.undrainedEvents < MAX_UNDRAINED_EVENTS) send(`m${room.nextSeq}`);
    expect(announcePreviews(room, [news(message_id)], NOW)).toMatchObject({ problem: { code: 'room_backlogged' } });
    expect(previews()).toEqual([]);
  });
});

describe('removing previews', () => {
  it('is for their author, and the owners and admins of the channel (G5, P62)', () => {
    const [first, second] = [send('a', BOB), send('b', BOB)];
    room.access.setMembership(EVE.user_id, { role: 'member', version: 5, announced: 5 });
    room.access.setMembership(ALICE.user_id, { role: 'admin', version: 6, announced: 6 });
    expect(run({ type: 'remove_previews', message_id: first }, EVE)).toMatchObject({ problem: { code: 'forbidden' } });
    expect(must(run({ type: 'remove_previews', message_id: first }, BOB))).toMatchObject({ changed: true });
    expect(must(run({ type: 'remove_previews', message_id: second }, ALICE))).toMatchObject({ changed: true });
    expect(previews()).toMatchObject([{ type: 'message.previews_removed', actor_id: BOB.user_id, message_id: first }, { type: 'message.previews_removed', actor_id: ALICE.user_id, message_id: second }]);
    room.access.setMembership(BOB.user_id, { role: null, version: 9, announced: 9 });
    expect(run({ type: 'remove_previews', message_id: first }, BOB)).toHaveProperty('problem');
  });

  it('is for good: before there are any, again, after an edit, and in a room that was opened anew', () => {
    const message_id = send('a');
    const removed = must(run({ type: 'remove_previews', message_id }));
    expect(must(run({ type: 'remove_previews', message_id }))).toEqual({ ...removed, changed: false });
    must(run({ type: 'edit', message_id, text: 'https://other.example/' }));
    room = reopen(sql);
    expect(announce(news(message_id), news(message_id, 'x', 2))).toEqual([]);
    expect(must(run({ type: 'remove_previews', message_id }))).toMatchObject({ seq: removed.seq, changed: false });
  });

  it('of a deleted message, or of none, is refused', () => {
    const message_id = send('a');
    must(run({ type: 'delete', message_id }));
    expect(run({ type: 'remove_previews', message_id })).toMatchObject({ problem: { code: 'conflict' } });
    expect(run({ type: 'remove_previews', message_id: id(9, 99) })).toMatchObject({ problem: { code: 'not_found' } });
  });
});
