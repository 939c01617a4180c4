import { beforeEach, describe, expect, it } from 'vitest';
import { MAX_UNDRAINED_EVENTS } from '../../protocol/limits.ts';
import { ALICE, appendMessages, BOB, CHANNEL, conversation, EVE, logged, must, NOW } from '../../tests/support/room-core.ts';
import { applyCommand } from './commands.ts';
import type { Conversation } from './conversation.ts';
import { MOST_REDACTED, redact } from './redaction.ts';

let room: Conversation;
beforeEach(() => {
  room = conversation();
});

const of = (who = ALICE, after: string | null = null) => ({ channel_id: CHANNEL, user_id: who.user_id, actor_id: EVE.user_id, after });
const send = (client_msg_id: string, who = ALICE, thread_id?: string) =>
  room.commit(() => must(applyCommand(room, who, { type: 'send', client_msg_id, text: 'x', ...(thread_id !== undefined && { thread_id }) }, NOW))).value;
const live = (who = ALICE): number => room.messages.liveOf(who.user_id, null, 10_000).length;

describe('redact', () => {
  it('deletes every message and reply of the user, and of nobody else, in the name of who asked; once (G2)', () => {
    const [root, theirs] = [send('a'), send('b', BOB)];
    const reply = send('c', ALICE, theirs.message_id);
    room.access.setMembership(ALICE.user_id, { role: null, version: 9, announced: 9 });
    room.setStanding({ archived: true, version: 2 });
    const { answer, events } = redact(room, of(), NOW);
    expect([answer, events.length, live(), live(BOB)]).toEqual([{ status: 'told', after: null }, 2, 0, 1]);
    expect(logged(room).slice(-2)).toMatchObject([
      { type: 'message.deleted', actor_id: EVE.user_id, message_id: root.message_id, thread_id: null },
      { type: 'message.deleted', actor_id: EVE.user_id, message_id: reply.message_id, thread_id: theirs.message_id },
    ]);
    expect(redact(room, of(), NOW)).toEqual({ answer: { status: 'told', after: null }, events: [] });
  });

  it('does so in parts, each going on behind the last (G8)', () => {
    appendMessages(room, MOST_REDACTED + 10);
    const { answer } = redact(room, of(), NOW);
    expect([answer.status, live()]).toEqual(['told', 10]);
    expect(redact(room, of(ALICE, answer.status === 'told' ? answer.after : null), NOW).answer).toEqual({ status: 'told', after: null });
    expect(live()).toBe(0);
  });

  it('waits where the room holds as many unstored events as it may (G8)', () => {
    appendMessages(room, MAX_UNDRAINED_EVENTS - 1);
    appendMessages(room, 1);
    while (room.log.undrainedEvents < MAX_UNDRAINED_EVENTS) send(`m${room.nextSeq}`);
    expect(redact(room, of(), NOW)).toEqual({ answer: { status: 'unavailable' }, events: [] });
  });
});
