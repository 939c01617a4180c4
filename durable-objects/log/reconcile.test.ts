import { beforeEach, describe, expect, it } from 'vitest';
import type { LogPlace } from '../../db/queries/room-bootstrap.ts';
import { ALICE, appendMessages, conversation, parsed } from '../../tests/support/room-core.ts';
import type { LogEvent } from './event-log.ts';
import type { Conversation } from '../channel-room/conversation.ts';
import { decide, keepForked } from './reconcile.ts';

let room: Conversation;
beforeEach(() => {
  room = conversation();
});

const append = (count: number): void => void appendMessages(room, count);

const idAt = (seq: number): string => parsed(room.log.since(seq - 1, 1, 1))[0]?.id ?? '';
const place = (changes: Partial<LogPlace>): LogPlace => ({ epoch: 1, fence: 1, drained_seq: 0, event_id: null, ...changes });

describe('decide', () => {
  it('waits for a channel that Postgres does not know', () => {
    expect(decide(room.log, null)).toEqual({ kind: 'wait' });
  });

  it('takes the log back where Postgres stands at an earlier event that is retained', () => {
    append(10);
    room.log.markDrained(8);
    expect(decide(room.log, place({ drained_seq: 3, event_id: idAt(3) }))).toEqual({ kind: 'take', epoch: 1, fence: 2, drainedSeq: 3 });
  });

  it('takes a log whose fence has run ahead of it', () => {
    append(10);
    expect(decide(room.log, place({ fence: 40, drained_seq: 10, event_id: idAt(10) }))).toEqual({ kind: 'take', epoch: 1, fence: 41, drainedSeq: 10 });
  });

  it('takes a log that Postgres has of an earlier epoch, before it was restored', () => {
    append(10);
    room.log.claim(3, 9);
    expect(decide(room.log, place({ epoch: 2, drained_seq: 4, event_id: idAt(4) }))).toEqual({ kind: 'take', epoch: 3, fence: 10, drainedSeq: 4 });
  });

  it('goes on behind a hole, in a new epoch, where the missing events are no longer retained', () => {
    append(22_000);
    room.log.markDrained(22_000);
    expect(decide(room.log, place({ drained_seq: 50 }))).toEqual({ kind: 'skip', epoch: 2, fence: 2, drainedSeq: 2_000 });
  });

  it.each([
    ['a newer epoch', { epoch: 2, drained_seq: 5 }],
    ['more events than the room', { drained_seq: 11 }],
    ['another event under the same number', { drained_seq: 5, event_id: ALICE.user_id }],
  ])('yields to a Postgres with %s', (_, changes) => {
    append(10);
    expect(decide(room.log, place(changes))).toEqual({ kind: 'yield' });
  });
});

describe('keepForked', () => {
  it('keeps every event that Postgres has not taken from this room', async () => {
    append(2_500);
    room.log.markDrained(100);
    const kept: LogEvent[] = [];
    await keepForked(room.log, async (_epoch, events) => void kept.push(...events));
    expect(kept.map(({ seq }) => seq)).toEqual(Array.from({ length: 2_400 }, (_, index) => 101 + index));
  });
});
