import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { Api } from '../../client/http.ts';
import { Connection } from '../../client/connection.ts';
import { isRetryable } from '../../client/errors.ts';
import { systemClock } from '../../client/ports.ts';
import type { RoomWire } from '../../client/wires.ts';
import type { ChannelEventType } from '../../protocol/events.ts';
import type { Command, CommandResult } from '../../protocol/frames.ts';
import type { Acknowledgement, Attempt } from './checker.ts';

/** One who writes to a channel, in one way. */
export interface Writer {
  readonly user_id: string;
  execute(command: Command): Promise<CommandResult>;
  close(): void;
}

/** Each command is a request. */
export function httpWriter(user_id: string, api: Api, channelId: string): Writer {
  return { user_id, execute: (command) => request(api, channelId, command), close: () => {} };
}

function request(api: Api, channelId: string, command: Command): Promise<CommandResult> {
  switch (command.type) {
    case 'send': {
      const { client_msg_id, text, thread_id } = command;
      return api.send(channelId, { client_msg_id, text, ...(thread_id !== undefined && { thread_id }) });
    }
    case 'edit':
      return api.edit(channelId, command.message_id, command.text);
    case 'delete':
      return api.remove(channelId, command.message_id);
    case 'react':
      return api.react(channelId, command.message_id, command.emoji);
    case 'unreact':
      return api.unreact(channelId, command.message_id, command.emoji);
    case 'pin':
      return api.pin(channelId, command.message_id);
    case 'unpin':
      return api.unpin(channelId, command.message_id);
    case 'remove_previews':
      return api.removePreviews(channelId, command.message_id);
  }
}

/** Commands go over the client's own connection, which brings those without a result along to its next socket. */
export function socketWriter(user_id: string, api: Api, channelId: string, token: string): Writer {
  const connection = new Connection<RoomWire>(
    {
      url: api.socketUrl(channelId),
      since: null,
      openSocket: (url, protocols) => new WebSocket(url, protocols, { headers: { authorization: `Bearer ${token}` }, perMessageDeflate: false }),
      clock: systemClock,
      random: () => Math.random() / 8,
    },
    { stateChanged: () => {}, events: () => {}, reset: () => {}, state: () => {} },
  );
  connection.start();
  return { user_id, execute: (command) => connection.command(command), close: () => connection.stop() };
}

const EVENT_OF: Record<Command['type'], ChannelEventType> = {
  send: 'message.created',
  edit: 'message.edited',
  delete: 'message.deleted',
  react: 'reaction.added',
  unreact: 'reaction.removed',
  pin: 'message.pinned',
  unpin: 'message.unpinned',
  remove_previews: 'message.previews_removed',
};
const GIVE_UP_MS = 45_000;
const MAX_IN_FLIGHT = 400;
const EMOJI = ['👍', '🎉', 'eyes', '❤️'];

/**
 * Writers that say these texts in turn at a steady rate, whatever becomes of the answers: what fails in a way that may pass is tried
 * again with the same `client_msg_id` until it is answered. Of twenty commands thirteen are messages, two replies, two edits, one a
 * reaction, one a pin or its removal, and one a deletion.
 */
export class Load {
  readonly attempts: Attempt[] = [];
  readonly acknowledged: Acknowledgement[] = [];
  /** What was refused for good, and what was never answered. Neither should happen here. */
  readonly refusals: string[] = [];
  /** Repetitions of a command after a failure. */
  retries = 0;
  /** The longest a command had to wait for its answer, in milliseconds. */
  slowest = 0;
  readonly #name: string;
  readonly #writers: readonly Writer[];
  readonly #texts: readonly string[];
  readonly #giveUpMs: number;
  readonly #inFlight = new Set<Promise<unknown>>();
  readonly #roots: string[] = [];
  /** Acknowledged messages that are their author's to change, each once. */
  readonly #own: { writer: Writer; id: string }[] = [];
  #count = 0;

  /** `name` sets this load's `client_msg_id`s apart from another's. What is not answered for `giveUpMs` is given up. */
  constructor(name: string, writers: readonly Writer[], texts: readonly string[], giveUpMs = GIVE_UP_MS) {
    this.#name = name;
    this.#writers = writers;
    this.#texts = texts;
    this.#giveUpMs = giveUpMs;
  }

  /** Runs for `seconds`, then waits until every command is answered or given up. */
  async run(perSecond: number, seconds: number): Promise<void> {
    const begin = performance.now();
    for (let due = 0; due < perSecond * seconds; due += 1) {
      await sleep(begin + (due * 1_000) / perSecond - performance.now());
      if (this.#inFlight.size < MAX_IN_FLIGHT) this.#start();
    }
    await this.settle();
  }

  async settle(): Promise<void> {
    await Promise.all(this.#inFlight);
  }

  #start(): void {
    const done: Promise<unknown> = this.#step().finally(() => this.#inFlight.delete(done));
    this.#inFlight.add(done);
  }

  #step(): Promise<unknown> {
    this.#count += 1;
    const turn = this.#count % 20;
    const round = Math.floor(this.#count / 20);
    const root = this.#roots[(this.#count + round) % (this.#roots.length || 1)];
    if (root !== undefined && (turn === 3 || turn === 11)) return this.#say(root);
    if (root !== undefined && turn === 15) return this.#do(this.#writer(), { type: 'react', message_id: root, emoji: EMOJI[round % EMOJI.length] ?? '👍' });
    if (root !== undefined && turn === 17) return this.#do(this.#writer(), { type: round % 3 === 2 ? 'unpin' : 'pin', message_id: root });
    const own = turn === 7 || turn === 13 || turn === 19 ? this.#own.shift() : undefined;
    if (own === undefined) return this.#say();
    return this.#do(own.writer, turn === 19 ? { type: 'delete', message_id: own.id } : { type: 'edit', message_id: own.id, text: `edited ${this.#count}: ${this.#text()}` });
  }

  async #say(thread_id?: string): Promise<void> {
    const writer = this.#writer();
    const attempt = { author_id: writer.user_id, client_msg_id: `${this.#name}-${this.#count}`, text: this.#text() };
    this.attempts.push(attempt);
    const id = await this.#do(writer, { type: 'send', client_msg_id: attempt.client_msg_id, text: attempt.text, ...(thread_id !== undefined && { thread_id }) });
    if (id === null || thread_id !== undefined) return;
    if (this.#roots.length < 20) this.#roots.push(id);
    else this.#own.push({ writer, id });
  }

  /** The message's id, or null if it came to nothing. */
  async #do(writer: Writer, command: Command): Promise<string | null> {
    const begin = performance.now();
    for (;;) {
      try {
        const { message_id, seq, changed } = await writer.execute(command);
        // What is pinned already was perhaps pinned by another.
        const isOwn = changed || (command.type !== 'pin' && command.type !== 'unpin');
        this.acknowledged.push({ type: EVENT_OF[command.type], author_id: isOwn ? writer.user_id : null, message_id, seq });
        this.slowest = Math.max(this.slowest, performance.now() - begin);
        return message_id;
      } catch (error) {
        if (!isRetryable(error) || performance.now() - begin > this.#giveUpMs) return this.#refused(command, error);
        this.retries += 1;
        await sleep(100 + 200 * Math.random());
      }
    }
  }

  #refused(command: Command, error: unknown): null {
    this.refusals.push(`${command.type}: ${String(error)}`);
    return null;
  }

  #writer(): Writer {
    const writer = this.#writers[this.#count % this.#writers.length];
    if (writer === undefined) throw new Error('a load needs a writer');
    return writer;
  }

  #text(): string {
    return this.#texts[this.#count % this.#texts.length] ?? 'nothing to say';
  }
}
