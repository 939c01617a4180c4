import type { ChannelEvent } from '../../protocol/events.ts';
import { problemDocument, type ErrorCode } from '../../protocol/errors.ts';
import type { Actor, Redeemed } from '../../durable-objects/sockets/actor-api.ts';
import { ChannelSession } from '../../client/channel-session.ts';
import type { ChannelState } from '../../client/channel-state.ts';
import { NetworkError, ProblemError } from '../../client/errors.ts';
import { type Api, createApi } from '../../client/http.ts';
import type { OutboxEntry } from '../../client/outbox.ts';
import type { WebSocketLike } from '../../client/ports.ts';
import { memoryStore } from '../../client/stores/memory.ts';
import { integer } from '../../client/testing/random.ts';
import { channelEntry, messagePage } from './pages.ts';
import type { Directory } from './directory.ts';
import type { RoomObject } from './room-object.ts';
import type { ObjectPorts } from './simulated-object.ts';
import { Wire } from './wire.ts';

export interface DevicePorts extends Pick<ObjectPorts, 'schedule' | 'random' | 'stored' | 'reach' | 'watch' | 'trace'> {
  readonly room: RoomObject;
  readonly directory: Directory;
}

/** One device of a user: the real client, before a network that fails. */
export class Device {
  readonly userId: string;
  readonly name: string;
  /** What its user has written here, in order, and which of it has ever failed. */
  readonly written: string[] = [];
  readonly failed = new Set<string>();
  outbox: readonly OutboxEntry[] = [];
  readonly #ports: DevicePorts;
  readonly #store = memoryStore();
  #credential: Actor;
  #session: ChannelSession | null = null;
  #heard = 0;
  #starts = 0;

  constructor(name: string, userId: string, ports: DevicePorts) {
    this.name = name;
    this.userId = userId;
    this.#ports = ports;
    this.#credential = ports.directory.signIn(userId);
  }

  get session(): ChannelSession | null {
    return this.#session;
  }

  get credential(): Actor {
    return this.#credential;
  }

  /** Opens the channel as a page does: reads the bootstrap, then connects. What an earlier run left unsent goes out. */
  start(): void {
    this.stop();
    this.#starts += 1;
    const generation = this.#starts;
    const { stored, schedule, random } = this.#ports;
    const api = this.#api();
    this.#heard = stored.place.drained_seq;
    this.#session = new ChannelSession(
      channelEntry(stored),
      this.userId,
      {
        api,
        openSocket: (url, protocols) => this.#openSocket(new URL(url), protocols),
        tickets: true,
        clock: schedule,
        random,
        store: this.#store,
        newId: () => `${this.name}-${this.written.length}`,
      },
      {
        stateChanged: (state) => this.#stateChanged(state),
        connectionChanged: (state) => this.#ports.trace.note(() => `${this.name} is ${JSON.stringify(state)}`),
        outboxChanged: (entries) => generation === this.#starts && this.#outboxChanged(entries),
        events: (events) => this.#events(events),
        usersSeen: () => {},
        loadFailed: () => {},
      },
    );
    this.#session.start();
  }

  stop(): void {
    this.#session?.stop();
    this.#session = null;
    this.outbox = [];
  }

  send(text: string, threadId: string | null): void {
    if (this.#session === null || this.outbox.length >= 90) return;
    const entry = this.#session.send(text, threadId);
    this.written.push(entry.client_msg_id);
  }

  /** Its user tries again what failed, and lets go of replies to what is deleted. */
  retryFailed(): void {
    for (const { state, client_msg_id, reason } of this.outbox) {
      if (state !== 'failed') continue;
      if (reason === 'The message is deleted') this.#session?.discard(client_msg_id);
      else this.#session?.retry(client_msg_id);
    }
  }

  #stateChanged(state: ChannelState): void {
    // A reset, after which the events behind the new cursor come.
    if (state.tail.length === 0 && state.tailFrom === state.seq) this.#heard = state.seq;
  }

  #events(events: readonly ChannelEvent[]): void {
    const { watch } = this.#ports;
    for (const event of events) {
      if (event.seq !== this.#heard + 1) watch.violate('G4', `${this.name} heard of event ${event.seq} after ${this.#heard}`);
      this.#heard = event.seq;
      watch.isTrue(event);
    }
  }

  #outboxChanged(entries: readonly OutboxEntry[]): void {
    this.outbox = entries;
    for (const { state, client_msg_id } of entries) if (state === 'failed') this.failed.add(client_msg_id);
  }

  #api(): Api {
    const { stored } = this.#ports;
    return {
      ...createApi({ baseUrl: 'http://colink.test' }),
      bootstrap: () => this.#ask(() => ({ me: ME, channels: stored.isMember(this.userId) ? [channelEntry(stored)] : [], users: [], inbox: { epoch: 1, as_of_seq: 0 } })),
      history: (_, query = {}) => this.#ask(() => this.#asMember(() => messagePage(stored, null, query))),
      replies: (_, rootId, query = {}) => this.#ask(() => this.#asMember(() => messagePage(stored, rootId, query))),
      markRead: () => this.#ask(() => {}),
      socketTicket: () => this.#ask(() => this.#issueTicket()),
    };
  }

  async #ask<T>(answer: () => T): Promise<T> {
    const { schedule, random, reach } = this.#ports;
    await schedule.delay(integer(random, 30));
    if (random() < reach.lost / 2) throw new NetworkError('no answer');
    if (reach.away) throw problem('unavailable');
    const value = answer();
    await schedule.delay(integer(random, 30));
    if (random() < reach.lost / 2) throw new NetworkError('no answer');
    return value;
  }

  #asMember<T>(answer: () => T): T {
    if (!this.#ports.stored.isMember(this.userId)) throw problem('not_a_member');
    return answer();
  }

  /** A credential that has ended is renewed first, as by the identity provider. */
  #issueTicket(): { ticket: string; expires_in: number } {
    const { directory } = this.#ports;
    if (!directory.isGood(this.#credential)) this.#credential = directory.signIn(this.userId);
    return { ticket: directory.tickets.issue(this.#credential), expires_in: 30 };
  }

  #openSocket(url: URL, protocols: readonly string[]): WebSocketLike {
    const { schedule, random, directory } = this.#ports;
    const wire = new Wire({ schedule, random });
    const redeemed = directory.tickets.redeem(protocols.at(-1)?.replace('colink.ticket.', '') ?? '');
    const [epoch, seq] = [url.searchParams.get('epoch'), url.searchParams.get('since')];
    const since = epoch === null || seq === null ? null : { epoch: Number(epoch), seq: Number(seq) };
    void this.#handshake(wire, redeemed, since);
    return wire.client;
  }

  async #handshake(wire: Wire, redeemed: Redeemed | null, since: { epoch: number; seq: number } | null): Promise<void> {
    const { schedule, random, room, directory, reach } = this.#ports;
    await schedule.delay(integer(random, 30));
    const served = redeemed !== null && directory.isGood(redeemed.actor) && !reach.away && random() >= reach.lost / 2;
    const joined = served && (await room.connect(wire, redeemed, since).catch(() => false));
    if (!joined) wire.refuse();
  }
}

const ME = { id: 'me', handle: 'me', display_name: 'Me', role: 'member' } as const;

const problem = (code: ErrorCode): ProblemError => new ProblemError(problemDocument({ code }));
