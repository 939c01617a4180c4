import type { Outcome, Problem } from '../../protocol/errors.ts';
import type { Command, CommandResult, SendCommand } from '../../protocol/frames.ts';
import { MAX_PINS, MAX_UNDRAINED_BYTES, MAX_UNDRAINED_EVENTS } from '../../protocol/limits.ts';
import type { Conversation } from './conversation.ts';
import { fingerprint } from './hash53.ts';
import type { IndexedMessage } from './message-index.ts';
import type { Actor } from '../sockets/actor-api.ts';

/** Seconds until a full room may have stored enough to go on. */
const BACKLOG_RETRY_AFTER = 5;

type CommandOf<T extends Command['type']> = Extract<Command, { type: T }>;

interface Context {
  readonly room: Conversation;
  readonly actor: Actor;
  /** Epoch milliseconds. */
  readonly now: number;
}

/**
 * Authorises one command and applies it, inside `room.commit`. All checks come before the first write, so a refused command has
 * written nothing. Throws only where the store itself fails.
 */
export function applyCommand(room: Conversation, actor: Actor, command: Command, now: number): Outcome<CommandResult> {
  const problem = accessProblem(room, actor, now) ?? closedProblem(room, actor, command);
  if (problem !== null) return { problem };
  return room.log.traced(actor.traceparent, () => apply({ room, actor, now }, command));
}

function apply(context: Context, command: Command): Outcome<CommandResult> {
  switch (command.type) {
    case 'send':
      return send(context, command);
    case 'edit':
      return edit(context, command);
    case 'delete':
      return remove(context, command);
    case 'react':
      return react(context, command);
    case 'unreact':
      return unreact(context, command);
    case 'pin':
      return pin(context, command);
    case 'unpin':
      return unpin(context, command);
    case 'remove_previews':
      return removePreviews(context, command);
  }
}

/** Why this actor may not act or listen in this room (G5), or null. */
export function accessProblem(room: Conversation, actor: Actor, now: number): Problem | null {
  if (actor.expires_at <= now || room.access.isRevoked(actor.credential_id)) return { code: 'unauthenticated' };
  if (room.access.isMember(actor.user_id)) return null;
  return { code: room.kind === 'public' ? 'not_a_member' : 'not_found' };
}

/** A room that is full, or archived, takes nothing new, but still knows a send that it has taken before. */
function closedProblem(room: Conversation, actor: Actor, command: Command): Problem | null {
  const problem = room.isArchived ? archived : backlogProblem(room);
  if (problem === null || command.type !== 'send') return problem;
  return room.messages.findSent(actor.user_id, command.client_msg_id) === undefined ? problem : null;
}

/** A room that holds as many events as it may until they are in Postgres, or null (G8). */
export function backlogProblem({ log: { undrainedEvents, undrainedBytes } }: Conversation): Problem | null {
  if (undrainedEvents < MAX_UNDRAINED_EVENTS && undrainedBytes < MAX_UNDRAINED_BYTES) return null;
  return { code: 'room_backlogged', retry_after: BACKLOG_RETRY_AFTER };
}

function send(context: Context, command: SendCommand): Outcome<CommandResult> {
  if (command.thread_id === undefined) return create(context, command, null);
  const root = findRoot(context.room, command.thread_id);
  if ('problem' in root) return repeated(context, command) ?? root;
  return create(context, command, root.ok);
}

function findRoot(room: Conversation, id: string): Outcome<IndexedMessage> {
  const root = findLive(room, id);
  if ('problem' in root || root.ok.thread_id === null) return root;
  return { problem: { code: 'invalid', errors: [{ pointer: '/thread_id', detail: 'must name a top-level message, not a reply' }] } };
}

function create({ room, actor, now }: Context, command: SendCommand, root: IndexedMessage | null): Outcome<CommandResult> {
  const message: IndexedMessage = {
    id: room.newId(now),
    author_id: actor.user_id,
    client_msg_id: command.client_msg_id,
    fingerprint: fingerprint(command.text, root?.id ?? null, command.file_ids),
    seq: room.nextSeq,
    pos: root === null ? room.nextPos : null,
    thread_id: root?.id ?? null,
    tpos: root === null ? null : root.last_tpos + 1,
    last_tpos: 0,
    deleted: 0,
    revision: 1,
    at: now,
  };
  if (!room.messages.insert(message)) return repeated({ room, actor, now }, command) ?? { problem: { code: 'internal' } };
  if (root !== null) room.messages.setLastTpos(root.id, root.last_tpos + 1);
  const { id: message_id, pos, thread_id, tpos, client_msg_id } = message;
  const { text, origin = null, file_ids } = command;
  const created = { type: 'message.created' as const, actor_id: actor.user_id, message_id, client_msg_id, text, pos, thread_id, tpos, origin };
  room.append(file_ids === undefined ? created : { ...created, file_ids }, now);
  return { ok: result(message, message.seq, now, true) };
}

/** The answer to a send whose `client_msg_id` is taken: the first one's result, if it said the same (G2). Null: it is not taken. */
function repeated({ room, actor }: Context, command: SendCommand): Outcome<CommandResult> | null {
  const first = room.messages.findSent(actor.user_id, command.client_msg_id);
  if (first === undefined) return null;
  const same = first.fingerprint === null || first.fingerprint === fingerprint(command.text, command.thread_id ?? null, command.file_ids);
  return same ? { ok: result(first, first.seq, first.at, false) } : { problem: { code: 'idempotency_mismatch' } };
}

function edit({ room, actor, now }: Context, { message_id, text }: CommandOf<'edit'>): Outcome<CommandResult> {
  const own = findOwn(room, message_id, actor);
  if ('problem' in own) return own;
  if (own.ok.deleted === 1) return deleted;
  const print = fingerprint(text, own.ok.thread_id);
  const said = room.messages.said(own.ok, print);
  if (said !== null) return { ok: result(own.ok, said, now, false) };
  if (room.editWindow.isOver(own.ok.at, now)) return tooOld;
  const revision = own.ok.revision + 1;
  const seq = room.append({ type: 'message.edited', actor_id: actor.user_id, message_id, text, revision }, now);
  room.messages.setEdit({ message_id, revision, fingerprint: print, seq });
  return { ok: result(own.ok, seq, now, true) };
}

function remove({ room, actor, now }: Context, { message_id }: CommandOf<'delete'>): Outcome<CommandResult> {
  const own = mayModerate(room, actor) ? findAny(room, message_id) : findOwn(room, message_id, actor);
  return 'problem' in own ? own : { ok: deleteMessage(room, own.ok, actor.user_id, now) };
}

/** It stays in its place, without its text, reactions, pin or previews. Deleting it once more does nothing. `more`: what else its event says. */
export function deleteMessage(room: Conversation, message: IndexedMessage, actor_id: string, now: number, more: { by_moderator?: true } = {}): CommandResult {
  const { id: message_id, thread_id } = message;
  if (message.deleted === 1) return result(message, null, now, false);
  room.messages.setDeleted(message_id);
  room.pins.remove(message_id);
  room.previews.remove(message_id);
  return result(message, room.append({ type: 'message.deleted', actor_id, message_id, thread_id, ...more }, now), now, true);
}

/** Owners and admins of a channel may delete what others have written in it. */
function mayModerate(room: Conversation, { user_id }: Actor): boolean {
  const role = room.access.membership(user_id)?.role;
  return role === 'owner' || role === 'admin';
}

function react({ room, actor, now }: Context, { message_id, emoji }: CommandOf<'react'>): Outcome<CommandResult> {
  const message = findLive(room, message_id);
  if ('problem' in message) return message;
  const there = room.messages.reaction(message_id, emoji, actor.user_id);
  if (there !== null) return { ok: result(message.ok, there, now, false) };
  const seq = room.append({ type: 'reaction.added', actor_id: actor.user_id, message_id, emoji }, now);
  room.messages.addReaction({ message_id, emoji, user_id: actor.user_id, seq });
  return { ok: result(message.ok, seq, now, true) };
}

function unreact({ room, actor, now }: Context, { message_id, emoji }: CommandOf<'unreact'>): Outcome<CommandResult> {
  const message = findLive(room, message_id);
  if ('problem' in message) return message;
  if (room.messages.reaction(message_id, emoji, actor.user_id) === null) return { ok: result(message.ok, null, now, false) };
  room.messages.removeReaction(message_id, emoji, actor.user_id);
  const seq = room.append({ type: 'reaction.removed', actor_id: actor.user_id, message_id, emoji }, now);
  return { ok: result(message.ok, seq, now, true) };
}

function pin({ room, actor, now }: Context, { message_id }: CommandOf<'pin'>): Outcome<CommandResult> {
  const message = findLive(room, message_id);
  if ('problem' in message) return message;
  const there = room.pins.seqOf(message_id);
  if (there !== null) return { ok: result(message.ok, there, now, false) };
  if (room.pins.size >= MAX_PINS) return fullyPinned;
  const seq = room.append({ type: 'message.pinned', actor_id: actor.user_id, message_id }, now);
  room.pins.add({ message_id, seq });
  return { ok: result(message.ok, seq, now, true) };
}

function unpin({ room, actor, now }: Context, { message_id }: CommandOf<'unpin'>): Outcome<CommandResult> {
  const message = findAny(room, message_id);
  if ('problem' in message) return message;
  if (room.pins.seqOf(message_id) === null) return { ok: result(message.ok, null, now, false) };
  room.pins.remove(message_id);
  const seq = room.append({ type: 'message.unpinned', actor_id: actor.user_id, message_id }, now);
  return { ok: result(message.ok, seq, now, true) };
}

/** For good: what is found at its links later, or after an edit, is not told. It may have none yet. */
function removePreviews({ room, actor, now }: Context, { message_id }: CommandOf<'remove_previews'>): Outcome<CommandResult> {
  const own = mayModerate(room, actor) ? findAny(room, message_id) : findOwn(room, message_id, actor);
  if ('problem' in own) return own;
  if (own.ok.deleted === 1) return deleted;
  const there = room.previews.find(message_id)?.removed_seq ?? null;
  if (there !== null) return { ok: result(own.ok, there, now, false) };
  const seq = room.append({ type: 'message.previews_removed', actor_id: actor.user_id, message_id }, now);
  room.previews.set({ message_id, revision: own.ok.revision, fingerprint: null, removed_seq: seq });
  return { ok: result(own.ok, seq, now, true) };
}

const archived: Problem = { code: 'channel_archived' };
const unknown = { problem: { code: 'not_found', detail: 'There is no such message in this channel' } } as const;
const deleted = { problem: { code: 'conflict', detail: 'The message is deleted' } } as const;
const tooOld = { problem: { code: 'edit_window_over' } } as const;
const fullyPinned = { problem: { code: 'limit_reached', detail: `A channel has at most ${MAX_PINS} pinned messages` } } as const;
const foreign = { problem: { code: 'forbidden', detail: 'Only its author may change a message, and only they, and the owners and admins of the channel, may delete it or remove its previews' } } as const;

function findOwn(room: Conversation, id: string, actor: Actor): Outcome<IndexedMessage> {
  const message = findAny(room, id);
  return 'problem' in message || message.ok.author_id === actor.user_id ? message : foreign;
}

function findLive(room: Conversation, id: string): Outcome<IndexedMessage> {
  const message = findAny(room, id);
  return 'problem' in message || message.ok.deleted === 0 ? message : deleted;
}

function findAny(room: Conversation, id: string): Outcome<IndexedMessage> {
  const message = room.messages.find(id);
  return message === undefined ? unknown : { ok: message };
}

function result(message: IndexedMessage, seq: number | null, at: number, changed: boolean): CommandResult {
  const { id: message_id, pos, thread_id, tpos } = message;
  return { message_id, seq, pos, thread_id, tpos, at: new Date(at).toISOString(), changed };
}
