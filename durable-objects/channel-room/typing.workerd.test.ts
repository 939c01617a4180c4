import { uuidv7 } from 'uuidv7';
import { expect, it, vi } from 'vitest';
import { soon } from '../../tests/support/soon.ts';
import { roomFixture, sendOf, type TestSocket } from './room-fixture.ts';

const typingOf = (socket: TestSocket): unknown[] => socket.frames.flatMap((frame) => (frame.type === 'typing' ? [frame.users] : []));

it('shows the others who types, in the channel or in a thread, until the message is there (P26)', async () => {
  const { alice, bob, room, channelId, connect } = await roomFixture();
  const [ada, reader] = [await connect(alice), await connect(bob)];
  const sent = await room.execute(channelId, bob, sendOf('a thread'));
  const thread_id = 'ok' in sent ? sent.ok.message_id : '';
  ada.send({ type: 'typing', thread_id });
  await soon(() => expect(typingOf(reader)).toEqual([[{ user_id: alice.user_id, thread_id }]]));
  await room.execute(channelId, alice, { ...sendOf('typed'), thread_id });
  await vi.waitFor(() => expect(typingOf(reader).at(-1)).toEqual([]), 10_000);
  expect(typingOf(ada)).toEqual([]);
});

it('passes over who types in a thread that is none, and shows who joins what is so (G5)', async () => {
  const { alice, bob, connect } = await roomFixture();
  const ada = await connect(alice);
  ada.send({ type: 'typing', thread_id: uuidv7() });
  ada.send({ type: 'typing' });
  await vi.waitFor(async () => expect(typingOf(await connect(bob))).toEqual([[{ user_id: alice.user_id, thread_id: null }]]), 10_000);
  expect(ada.frames.map(({ type }) => type)).not.toContain('problem');
});
