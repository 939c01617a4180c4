import { beforeEach, describe, expect, it } from 'vitest';
import { MAX_UNDRAINED_EVENTS } from '../../protocol/limits.ts';
import { ALICE, appendMessages, BOB, conversation, EVE, logged, must, NOW } from '../../tests/support/room-core.ts';
import { applyCommand } from './commands.ts';
import type { Conversation } from './conversation.ts';
import { removeMessages } from './removal.ts';

let room: Conversation;
beforeEach(() => {
  room = conversation();
});

const send = (client_msg_id: string, who = ALICE, thread_id?: string) =>
  room.commit(() => must(applyCommand(room, who, { type: 'send', client_msg_id, text: 'x', ...(thread_id !== undefined && { thread_id }) }, NOW))).value;
const remove = (...ids: readonly string[]) => removeMessages(room, ids.map((message_id) => ({ message_id, actor_id: EVE.user_id })), NOW);

describe('removeMessages', () => {
  it('deletes what is ordered in the name of who ordered it, once, whoever is a member and though the channel is archived (G2)', () => {
    const [root, theirs] = [send('a'), send('b', BOB)];
    const reply = send('c', ALICE, theirs.message_id);
    room.access.setMembership(ALICE.user_id, { role: null, version: 9, announced: 9 });
    room.setStanding({ archived: true, version: 2 });
    expect(must(remove(root.message_id, reply.message_id))).toHaveLength(2);
    expect(logged(room).slice(-2)).toMatchObject([
      { type: 'message.deleted', actor_id: EVE.user_id, message_id: root.message_id, thread_id: null, by_moderator: true },
      { type: 'message.deleted', actor_id: EVE.user_id, message_id: reply.message_id, thread_id: theirs.message_id, by_moderator: true },
    ]);
    expect(must(remove(root.message_id, reply.message_id, EVE.user_id))).toEqual([]);
    expect(room.messages.find(theirs.message_id)?.deleted).toBe(0);
  });

  it('waits where the room holds as many unstored events as it may (G8)', () => {
    appendMessages(room, MAX_UNDRAINED_EVENTS - 1);
    const { message_id } = send('last');
    while (room.log.undrainedEvents < MAX_UNDRAINED_EVENTS) send(`m${room.nextSeq}`);
    expect(remove(message_id)).toMatchObject({ problem: { code: 'room_backlogged' } });
    expect(room.messages.find(message_id)?.deleted).toBe(0);
  });
});
