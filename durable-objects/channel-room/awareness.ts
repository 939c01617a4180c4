import type { Command } from '../../protocol/frames.ts';
import type { Actor } from '../sockets/actor-api.ts';
import type { Fanout } from '../sockets/fanout.ts';
import type { Count } from '../metrics-hub/object-metrics.ts';
import type { RoomSocket } from '../sockets/socket-record.ts';
import type { PresenceNotice, WatchedPresence } from '../user-inbox/presence-api.ts';
import { ChannelPresence, type PresenceTelling } from './channel-presence.ts';
import { accessProblem } from './commands.ts';
import type { Conversation } from './conversation.ts';
import { hash53 } from './hash53.ts';
import type { PresenceCache } from './presence-cache.ts';
import type { Tree } from './tree.ts';
import { Typing, type TypingChange, typingFrame, typingFrames } from './typing.ts';

export interface AwarenessPorts {
  clock(): number;
  schedule(ms: number, task: () => void): void;
  readonly presences: PresenceCache;
  /** Asks a member's inbox, which from then on tells this room of changes. */
  watchInbox(userId: string): Promise<WatchedPresence>;
  readonly count: Count;
  /** Calls `sweep` in some minutes, unless it is to be called already; kept durably. */
  sweepLater(): void;
}

/** What sockets are told besides events: who is typing, and who is present. */
export class Awareness<S extends RoomSocket> {
  readonly #conversation: Conversation;
  readonly #fanout: Fanout<S>;
  readonly #tree: Tree;
  readonly #ports: AwarenessPorts;
  readonly #typing: Typing;
  readonly #presence: ChannelPresence<S>;
  /** Sockets that are told who is present. */
  readonly #watchers = new Set<S>();

  constructor(conversation: Conversation, fanout: Fanout<S>, tree: Tree, ports: AwarenessPorts) {
    const { access } = conversation;
    this.#conversation = conversation;
    this.#fanout = fanout;
    this.#tree = tree;
    this.#ports = ports;
    const time = { clock: () => ports.clock(), schedule: (ms: number, task: () => void) => ports.schedule(ms, task) };
    this.#typing = new Typing({ ...time, tell: (change) => this.#tellTyping(change) });
    this.#presence = new ChannelPresence<S>(ports.presences, {
      ...time,
      watchInbox: (userId) => this.#lookUp(userId),
      members: (limit) => access.members(limit),
      isMember: (userId) => access.isMember(userId),
      connected: () => this.#countUsers(),
      isWatched: () => this.#isWatched,
      sweepLater: () => ports.sweepLater(),
      tell: (telling, isOwed) => this.#tellPresence(telling, isOwed),
    });
  }

  /** How many sockets of the room are told who is present. */
  get watching(): number {
    return this.#watchers.size;
  }

  /** The sockets of an earlier instance are taken over. */
  resume(): void {
    this.#fanout.each((socket) => {
      const record = this.#fanout.record(socket);
      if (record?.watching === true) this.#watchers.add(socket);
      if (record?.owed === true) this.#presence.look(socket);
    });
    this.#presence.resume();
  }

  /** As any command, but unanswered: of no member, or in no thread of this channel, it is passed over (G5). */
  typed(actor: Actor, threadId: string | null): void {
    if (accessProblem(this.#conversation, actor, this.#ports.clock()) !== null) return;
    const root = threadId === null ? null : this.#conversation.messages.find(threadId);
    if (root === null || (root !== undefined && root.thread_id === null)) this.#typing.typed(actor.user_id, threadId);
  }

  /** A command of the user is done: who has sent a message does not type it any more. */
  done(userId: string, { type }: Command): void {
    if (type === 'send') this.#typing.ended(userId);
  }

  watch(socket: S, presence: boolean): void {
    this.#fanout.amend(socket, { watching: presence, owed: presence });
    if (!presence) return void this.#watchers.delete(socket);
    this.#watchers.add(socket);
    this.#presence.look(socket);
  }

  /** A socket on a node looks. */
  lookFromNode(): void {
    this.#presence.lookFromNode();
  }

  /** A node has said who is there. */
  rosterChanged(): void {
    this.#presence.connectedChanged();
  }

  /** Dead connections of the room are closed; those of nodes are looked for, and who is gone is told. */
  sweep(): void {
    void this.#tree.tell({ sweep: true });
    this.#presence.sweep();
  }

  /** From a member's inbox; false: it is to tell this room no more. */
  notice(notice: PresenceNotice): boolean {
    return this.#presence.notice(notice);
  }

  memberChanged(userId: string): void {
    if (!this.#conversation.access.isMember(userId)) this.#typing.ended(userId);
    this.#presence.memberChanged(userId);
  }

  joined(socket: S): void {
    if (this.#typing.users.length > 0) this.caughtUp(socket);
    this.#presence.connectedChanged();
  }

  left(socket: S): void {
    this.#watchers.delete(socket);
    this.#presence.leave(socket);
  }

  /** The socket was behind, and has not been told what the others were. */
  caughtUp(socket: S): void {
    const record = this.#fanout.record(socket);
    if (record === undefined) return;
    this.#fanout.tellSocket(socket, typingFrame(this.#typing.users.filter(({ user_id }) => user_id !== record.actor.user_id)));
    if (record.watching) this.watch(socket, true);
  }

  /** Nodes do not say whether anybody looks: where there are any, somebody does. */
  get #isWatched(): boolean {
    return this.#watchers.size > 0 || this.#tree.isGrown;
  }

  #countUsers(): number {
    const users: number[] = [];
    this.#fanout.each((socket) => users.push(hash53(this.#fanout.record(socket)?.actor.user_id ?? '')));
    return this.#tree.countUsers(users);
  }

  async #lookUp(userId: string): Promise<WatchedPresence> {
    try {
      const watched = await this.#ports.watchInbox(userId);
      this.#ports.count('colink_presence_lookups_total', 1, { result: 'ok' });
      return watched;
    } catch (error) {
      this.#ports.count('colink_presence_lookups_total', 1, { result: 'failed' });
      throw error;
    }
  }

  #tellTyping(change: TypingChange): number {
    const frameFor = typingFrames(change);
    this.#fanout.tell(({ actor }) => frameFor(actor.user_id));
    void this.#tree.tell({ typing: change });
    return this.#fanout.size + this.#tree.sockets;
  }

  #tellPresence(telling: PresenceTelling, isOwed: (socket: S) => boolean): void {
    const { full, diff } = telling;
    for (const socket of this.#watchers) {
      const kind = isOwed(socket) ? 'full' : 'diff';
      const frame = kind === 'full' ? full : diff;
      if (frame === null) continue;
      this.#fanout.tellSocket(socket, frame);
      if (kind === 'full') this.#fanout.amend(socket, { owed: false });
      this.#ports.count('colink_presence_frames_total', 1, { kind });
    }
    void this.#tree.tell({ presence: telling }).then((areTold) => this.#presence.toldNodes(areTold));
  }
}
