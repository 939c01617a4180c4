import { describe, expect, it } from 'vitest';
import { FakeClock } from './testing/fake-clock.ts';
import { type Typist, Typing } from './typing.ts';

function setup() {
  const clock = new FakeClock();
  const told: (string | null)[] = [];
  const lists: (readonly Typist[])[] = [];
  const typing = new Typing({ clock, tell: (threadId) => told.push(threadId), changed: (typists) => lists.push(typists) });
  return { clock, told, lists, typing };
}

const ann: Typist = { user_id: 'ann', thread_id: null };
const ben: Typist = { user_id: 'ben', thread_id: 'root' };

describe('typing', () => {
  it('G8: is told at most once in 3 s, however many keys are pressed', async () => {
    const { clock, told, typing } = setup();
    for (let i = 0; i < 61; i += 1) {
      typing.typed(null);
      await clock.advance(100);
    }
    expect(told).toHaveLength(3);
  });

  it('shows the newest list, until it is told to end, or no end has come for 30 s', async () => {
    const { clock, lists, typing } = setup();
    typing.received([ann]);
    await clock.advance(4_000);
    typing.received([ann, ben]);
    await clock.advance(29_999);
    expect(typing.typists).toEqual([ann, ben]);
    await clock.advance(1);
    expect(lists).toEqual([[ann], [ann, ben], []]);
  });

  it('ends with the message of the one who typed', () => {
    const { typing } = setup();
    typing.received([ann, ben]);
    typing.wrote(new Set(['ann']));
    expect(typing.typists).toEqual([ben]);
  });
});
