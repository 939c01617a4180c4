import type { ChannelEvent } from '../../protocol/events.ts';
import type { Actor } from '../../durable-objects/sockets/actor-api.ts';
import { ChannelSession } from '../../client/channel-session.ts';
import type { ChannelState } from '../../client/channel-window.ts';
import { type Api, createApi } from '../../client/http.ts';
import type { OutboxEntry } from '../../client/outbox.ts';
import { memoryStore } from '../../client/stores/memory.ts';
import { channelEntry, messagePage } from './pages.ts';
import { Gateway, type GatewayPorts, problem } from './gateway.ts';
import type { RoomObject } from './room-object.ts';
import type { ObjectPorts } from './simulated-object.ts';

export interface DevicePorts extends GatewayPorts, Pick<ObjectPorts, 'stored' | 'watch' | 'trace'> {
  readonly room: RoomObject;
}

/** One device of a user: the real client, before a network that fails. */
export class Device {
  readonly userId: string;
  readonly name: string;
  /** What its user has written here, in order, and which of it has ever failed. */
  readonly written: string[] = [];
  readonly failed = new Set<string>();
  outbox: readonly OutboxEntry[] = [];
  isLooking = false;
  readonly #ports: DevicePorts;
  readonly #store = memoryStore();
  readonly #gateway: Gateway;
  #session: ChannelSession | null = null;
  #heard = 0;
  #starts = 0;

  constructor(name: string, userId: string, ports: DevicePorts) {
    this.name = name;
    this.userId = userId;
    this.#ports = ports;
    this.#gateway = new Gateway(userId, ports);
  }

  get session(): ChannelSession | null {
    return this.#session;
  }

  get credential(): Actor {
    return this.#gateway.credential;
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
        openSocket: (url, protocols) => this.#gateway.openSocket(new URL(url), protocols, (...socket) => this.#ports.room.connect(...socket)),
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
    this.#session.watchPresence(this.isLooking);
  }

  /** Looks who is present from now on, or not any more. */
  look(isLooking: boolean): void {
    this.isLooking = isLooking;
    this.#session?.watchPresence(isLooking);
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

  /** Its user tries again what failed, and lets go of replies to what is gone: deleted, lost, or never in Postgres. */
  retryFailed(): void {
    for (const { state, client_msg_id, reason } of this.outbox) {
      if (state !== 'failed') continue;
      if (reason !== null && GONE.has(reason)) this.#session?.discard(client_msg_id);
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
      if (!watch.follows(watch.channel, this.#heard, event.seq)) watch.violate('G4', `${this.name} heard of event ${event.seq} after ${this.#heard}`);
      this.#heard = event.seq;
      watch.isTrue(watch.channel, event, this.#session?.state.epoch ?? 0);
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
      bootstrap: () => this.#gateway.ask(() => ({ me: ME, channels: stored.isMember(this.userId) ? [channelEntry(stored)] : [], direct_channels: [], users: [], inbox: { epoch: 1, as_of_seq: 0 } })),
      history: (_, query = {}) => this.#gateway.ask(() => this.#asMember(() => messagePage(stored, null, query))),
      replies: (_, rootId, query = {}) => this.#gateway.ask(() => this.#asMember(() => messagePage(stored, rootId, query))),
      markRead: (_, read_pos) => this.#gateway.ask(() => ({ read_pos })),
      socketTicket: () => this.#gateway.ask(() => this.#gateway.ticket()),
    };
  }

  #asMember<T>(answer: () => T): T {
    if (!this.#ports.stored.isMember(this.userId)) throw problem('not_a_member');
    return answer();
  }
}

const GONE = new Set(['The message is deleted', 'There is no such message in this channel']);
const ME = { id: 'me', handle: 'me', display_name: 'Me', role: 'member', avatar: null } as const;
