import { beforeEach, describe, expect, it } from 'vitest';
import type { Outcome } from '../../protocol/errors.ts';
import { type ChannelEvent, channelEventSchema } from '../../protocol/events.ts';
import type { Command, CommandResult } from '../../protocol/frames.ts';
import { MAX_PINS, MAX_UNDRAINED_EVENTS } from '../../protocol/limits.ts';
import { ALICE, BOB, conversation, EVE, id, logged, must, NOW, reopen } from '../../tests/support/room-core.ts';
import { nodeSqlite } from '../../tests/support/node-sqlite.ts';
import { applyCommand } from './commands.ts';
import type { Conversation } from './conversation.ts';
import type { Actor } from '../sockets/actor-api.ts';

let room: Conversation;
beforeEach(() => {
  room = conversation();
});

const run = (command: Command, actor: Actor = ALICE, now = NOW): Outcome<CommandResult> =>
  room.commit(() => applyCommand(room, actor, command, now)).value;
const send = (client_msg_id: string, text = 'x', thread_id?: string): Command => ({
  type: 'send', client_msg_id, text, ...(thread_id !== undefined && { thread_id }),
});
const problem = (outcome: Outcome<CommandResult>): string | null => ('problem' in outcome ? outcome.problem.code : null);
const sent = (client_msg_id: string, actor = ALICE): CommandResult => must(run(send(client_msg_id), actor));
const reply = (root: CommandResult, client_msg_id: string, actor = BOB): CommandResult => must(run(send(client_msg_id, 'x', root.message_id), actor));
const last = (): ChannelEvent | undefined => logged(room).at(-1);

describe('send', () => {
  it('numbers top-level messages by pos and every event by seq', () => {
    const first = sent('a');
    must(run({ type: 'react', message_id: first.message_id, emoji: '+1' }, BOB));
    expect(sent('b')).toMatchObject({ seq: 3, pos: 2, thread_id: null, tpos: null, changed: true });
  });

  it('logs an event of the wire', () => {
    sent('a');
    expect(channelEventSchema.parse(last())).toMatchObject({ type: 'message.created', seq: 1, actor_id: ALICE.user_id, client_msg_id: 'a', text: 'x', pos: 1, at: '2026-11-23T00:00:00.000Z' });
  });

  it('logs a message without files as before there were any, byte for byte, and names them where there are', () => {
    const at = { at: new Date(NOW).toISOString(), actor_id: ALICE.user_id };
    const { message_id } = sent('a');
    const [event] = room.log.since(0, 1, 10_000);
    const [eventId] = logged(room).map((one) => one.id);
    expect(event?.json).toBe(JSON.stringify({ type: 'message.created', seq: 1, id: eventId, ...at, message_id, client_msg_id: 'a', text: 'x', pos: 1, thread_id: null, tpos: null, origin: null }));
    must(run({ type: 'send', client_msg_id: 'b', text: 'x', file_ids: [id(7, 1), id(7, 2)] }));
    expect(last()).toMatchObject({ file_ids: [id(7, 1), id(7, 2)] });
    expect(must(run({ type: 'send', client_msg_id: 'b', text: 'x', file_ids: [id(7, 1), id(7, 2)] })).changed).toBe(false);
    for (const file_ids of [[id(7, 2), id(7, 1)], [id(7, 1)]]) expect(problem(run({ type: 'send', client_msg_id: 'b', text: 'x', file_ids }))).toBe('idempotency_mismatch');
    expect(problem(run(send('b')))).toBe('idempotency_mismatch');
  });

  it('keeps the origin of an imported message', () => {
    const origin = { source: 'irc', author: 'ed', sent_at: '2004-11-23 09:00' };
    must(run({ type: 'send', client_msg_id: 'a', text: 'x', origin }));
    expect(last()).toMatchObject({ origin });
  });

  it('repeats its answer for a repeated send, and logs nothing (G2, P21)', () => {
    const first = sent('a');
    sent('b');
    expect(must(run(send('a'), ALICE, NOW + 5_000))).toEqual({ ...first, changed: false });
    expect(room.log.state.seq).toBe(2);
  });

  it('takes a client_msg_id as its author’s own', () => {
    expect(sent('a', ALICE).seq).toBe(1);
    expect(sent('a', BOB).seq).toBe(2);
  });

  it('refuses another text, or another thread, under the same id (P21)', () => {
    const root = sent('a');
    expect(problem(run(send('a', 'y')))).toBe('idempotency_mismatch');
    expect(problem(run(send('a', 'x', root.message_id)))).toBe('idempotency_mismatch');
  });

  it('knows a repeated reply also after its root was deleted (G2)', () => {
    const root = sent('a');
    const first = reply(root, 'r');
    must(run({ type: 'delete', message_id: root.message_id }));
    expect(must(run(send('r', 'x', root.message_id), BOB))).toEqual({ ...first, changed: false });
  });
});

describe('an archived channel', () => {
  it('takes nothing new, knows a send that it has taken, and goes on when it is open again (G2)', () => {
    const first = sent('a');
    const { message_id } = first;
    room.setStanding({ archived: true, version: 2 });
    const commands: Command[] = [send('b'), { type: 'edit', message_id, text: 'y' }, { type: 'delete', message_id }, { type: 'react', message_id, emoji: '+1' }, { type: 'unreact', message_id, emoji: '+1' }, { type: 'pin', message_id }, { type: 'unpin', message_id }];
    expect(commands.map((command) => problem(run(command)))).toEqual(Array(7).fill('channel_archived'));
    expect(must(run(send('a')))).toEqual({ ...first, changed: false });
    expect(problem(run(send('c'), EVE))).toBe('not_a_member');
    room.setStanding({ archived: false, version: 3 });
    expect(must(run(send('b')))).toMatchObject({ seq: 2 });
  });
});

describe('a thread', () => {
  it('counts its replies by tpos and leaves pos alone', () => {
    const root = sent('a');
    expect(reply(root, 'r1')).toMatchObject({ pos: null, thread_id: root.message_id, tpos: 1 });
    expect(reply(root, 'r2')).toMatchObject({ tpos: 2 });
    expect(sent('b').pos).toBe(2);
  });

  it('takes no reply to a reply, to nothing, or to a deleted message', () => {
    const root = sent('a');
    const first = reply(root, 'r1');
    expect(problem(run(send('r2', 'x', first.message_id)))).toBe('invalid');
    expect(problem(run(send('r3', 'x', id(8, 1))))).toBe('not_found');
    must(run({ type: 'delete', message_id: root.message_id }));
    expect(problem(run(send('r4', 'x', root.message_id)))).toBe('conflict');
  });
});

describe('edit and delete', () => {
  it('are the author’s alone', () => {
    const { message_id } = sent('a');
    expect(problem(run({ type: 'edit', message_id, text: 'y' }, BOB))).toBe('forbidden');
    expect(problem(run({ type: 'delete', message_id }, BOB))).toBe('forbidden');
    expect(problem(run({ type: 'edit', message_id: id(8, 1), text: 'y' }))).toBe('not_found');
  });

  it('count revisions', () => {
    const { message_id } = sent('a');
    must(run({ type: 'edit', message_id, text: 'y' }));
    must(run({ type: 'edit', message_id, text: 'z' }));
    expect(last()).toMatchObject({ type: 'message.edited', text: 'z', revision: 3 });
  });

  it('log nothing for an edit to what the message says already, and name the event that had it say so (G2, P22)', () => {
    const { message_id } = sent('a');
    const edit = (text: string) => must(run({ type: 'edit', message_id, text }));
    expect(edit('x')).toMatchObject({ changed: false, seq: 1 });
    expect([edit('y'), edit('y'), edit('x'), edit('x')]).toMatchObject([{ seq: 2 }, { changed: false, seq: 2 }, { seq: 3 }, { changed: false, seq: 3 }]);
    expect(room.log.state.seq).toBe(3);
  });

  it('name the thread of a deleted reply', () => {
    const root = sent('a');
    const { message_id } = reply(root, 'r');
    must(run({ type: 'delete', message_id }, BOB));
    expect(last()).toMatchObject({ type: 'message.deleted', thread_id: root.message_id });
  });

  it('delete once (G2), and nothing can be done to it after', () => {
    const { message_id } = sent('a');
    must(run({ type: 'delete', message_id }));
    expect(must(run({ type: 'delete', message_id }))).toMatchObject({ changed: false, seq: null });
    expect(problem(run({ type: 'edit', message_id, text: 'y' }))).toBe('conflict');
    expect(problem(run({ type: 'react', message_id, emoji: '+1' }, BOB))).toBe('conflict');
    expect(room.log.state.seq).toBe(2);
  });
});

describe('reactions', () => {
  it('are there once a user and emoji (G2)', () => {
    const { message_id } = sent('a');
    const react: Command = { type: 'react', message_id, emoji: '+1' };
    expect(must(run(react, BOB))).toMatchObject({ seq: 2, changed: true });
    expect(must(run(react, BOB))).toMatchObject({ seq: 2, changed: false });
    expect(must(run(react, ALICE))).toMatchObject({ seq: 3, changed: true });
  });

  it('are taken back once', () => {
    const { message_id } = sent('a');
    must(run({ type: 'react', message_id, emoji: '+1' }, BOB));
    expect(must(run({ type: 'unreact', message_id, emoji: '+1' }, ALICE))).toMatchObject({ changed: false });
    expect(must(run({ type: 'unreact', message_id, emoji: '+1' }, BOB))).toMatchObject({ seq: 3, changed: true });
    expect(must(run({ type: 'unreact', message_id, emoji: '+1' }, BOB))).toMatchObject({ changed: false });
  });
});

describe('deleting what others wrote', () => {
  it('is for the owners and admins of the channel, and names who did it', () => {
    room = conversation({ members: { [ALICE.user_id]: 'admin', [BOB.user_id]: 'member', [EVE.user_id]: 'owner' } });
    const messages = [sent('a', BOB), sent('b', BOB), sent('c', ALICE)];
    const remove = (index: number, actor: Actor) => run({ type: 'delete', message_id: messages[index]?.message_id ?? '' }, actor);
    expect(problem(remove(2, BOB))).toBe('forbidden');
    expect(must(remove(0, ALICE))).toMatchObject({ changed: true, seq: 4 });
    expect(last()).toMatchObject({ type: 'message.deleted', actor_id: ALICE.user_id, message_id: messages[0]?.message_id });
    expect([must(remove(0, EVE)), must(remove(1, EVE))]).toMatchObject([{ changed: false }, { changed: true }]);
    expect(problem(run({ type: 'edit', message_id: messages[2]?.message_id ?? '', text: 'y' }, EVE))).toBe('forbidden');
  });

  it('is over with the role', () => {
    room = conversation({ members: { [ALICE.user_id]: 'owner', [BOB.user_id]: 'admin' } });
    const { message_id } = sent('a');
    room.access.setMembership(BOB.user_id, { role: 'member', version: 2, announced: 2 });
    expect(problem(run({ type: 'delete', message_id }, BOB))).toBe('forbidden');
  });
});

describe('pins', () => {
  const pin = (message_id: string, actor = BOB) => run({ type: 'pin', message_id }, actor);
  const unpin = (message_id: string, actor = BOB) => run({ type: 'unpin', message_id }, actor);

  it('are there once, of replies too, and are taken away once, by whoever is a member (G2, P60)', () => {
    const root = sent('a');
    const { message_id } = reply(root, 'r');
    expect([must(pin(message_id)), must(pin(message_id, ALICE))]).toMatchObject([{ seq: 3, changed: true, tpos: 1 }, { seq: 3, changed: false }]);
    expect(last()).toMatchObject({ type: 'message.pinned', message_id, actor_id: BOB.user_id });
    expect([must(unpin(message_id, ALICE)), must(unpin(message_id))]).toMatchObject([{ seq: 4, changed: true }, { seq: null, changed: false }]);
    expect(must(pin(message_id))).toMatchObject({ seq: 5, changed: true });
    expect(channelEventSchema.parse(last())).toMatchObject({ type: 'message.pinned', seq: 5 });
  });

  it('are of messages of the channel that stand: deletion takes the pin away (P60)', () => {
    const { message_id } = sent('a');
    must(pin(message_id));
    must(run({ type: 'delete', message_id }));
    expect([problem(pin(message_id)), must(unpin(message_id)).changed, room.pins.size]).toEqual(['conflict', false, 0]);
    expect([problem(pin(id(8, 1))), problem(unpin(id(8, 1)))]).toEqual(['not_found', 'not_found']);
  });

  it('are at most 100 of a channel; one that is there already is none more (G8, P60)', () => {
    const all = Array.from({ length: MAX_PINS + 1 }, (_, index) => sent(`m${index}`).message_id);
    const [first = '', last = ''] = [all[0], all.at(-1)];
    for (const message_id of all.slice(0, MAX_PINS)) must(pin(message_id));
    expect([problem(pin(last)), must(pin(first)).changed]).toEqual(['limit_reached', false]);
    must(run({ type: 'delete', message_id: first }));
    expect(must(pin(last)).changed).toBe(true);
  });

  it('are known to the next instance, also to one of a room that was laid before there were any', () => {
    const sql = nodeSqlite();
    room = conversation({ sql });
    const { message_id } = sent('a');
    must(pin(message_id));
    room = reopen(sql);
    expect(must(pin(message_id))).toMatchObject({ seq: 2, changed: false });
    sql.run('DROP TABLE pins');
    room = reopen(sql);
    expect(must(pin(message_id))).toMatchObject({ seq: 3, changed: true });
  });
});

describe('access (G5)', () => {
  it('is refused to who is no member: openly in a public channel, as unknown in a private one (P23)', () => {
    expect(problem(run(send('a'), EVE))).toBe('not_a_member');
    room = conversation({ kind: 'private' });
    expect(problem(run(send('a'), EVE))).toBe('not_found');
  });

  it('ends with the credential, by age or revocation (P23)', () => {
    expect(problem(run(send('a'), { ...ALICE, expires_at: NOW }))).toBe('unauthenticated');
    room.access.revoke(ALICE.credential_id, ALICE.expires_at, NOW);
    expect(problem(run(send('a')))).toBe('unauthenticated');
    expect(problem(run(send('a'), BOB))).toBeNull();
  });
});

describe('a full room (G8)', () => {
  it('takes nothing new until it is drained, but knows what it has taken', () => {
    const first = sent('first');
    room.commit(() => {
      for (let n = 1; n < MAX_UNDRAINED_EVENTS; n++) applyCommand(room, ALICE, send(`m${n}`), NOW);
    });
    expect(run(send('next'))).toEqual({ problem: { code: 'room_backlogged', retry_after: 5 } });
    expect(problem(run({ type: 'react', message_id: first.message_id, emoji: '+1' }))).toBe('room_backlogged');
    expect(must(run(send('first')))).toEqual({ ...first, changed: false });
    room.log.markDrained(1);
    expect(problem(run(send('next')))).toBeNull();
  });

  it('is full by bytes too', () => {
    room.commit(() => {
      for (let n = 0; room.log.undrainedBytes < 16 * 1024 * 1024; n++) applyCommand(room, ALICE, send(`m${n}`, 'x'.repeat(10_000)), NOW);
    });
    expect(problem(run(send('next')))).toBe('room_backlogged');
  });
});
