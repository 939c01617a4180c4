import type { Bootstrap } from '../protocol/api.ts';
import type { ReadResult } from '../protocol/frames.ts';
import type { InboxEvent } from '../protocol/inbox-events.ts';
import type { Activity, Conditions } from './conditions.ts';
import { Connection, type Cursor } from './connection.ts';
import type { Api } from './http.ts';
import { EMPTY_INBOX, type InboxState, applyBadges, applyInboxEvents, readPlaceIn, withInboxRead, withoutExcess } from './inbox-state.ts';
import type { ConnectionState } from './lifecycle.ts';
import type { Clock, OpenSocket, Random } from './ports.ts';
import type { InboxWire } from './wires.ts';

export interface InboxPorts {
  readonly api: Pick<Api, 'inboxUrl' | 'socketTicket' | 'bootstrap'>;
  readonly openSocket: OpenSocket;
  /** Whether sockets need a ticket: true in browsers, false where `openSocket` sends `Authorization`. */
  readonly tickets: boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly conditions?: Conditions;
  /** Whether the user is at this device; without it they are, as long as the socket is open. */
  readonly activity?: Activity;
}

export interface InboxListener {
  stateChanged(state: InboxState): void;
  connectionChanged(state: ConnectionState): void;
  /** Live events, each once, in order. */
  events(events: readonly InboxEvent[]): void;
  /** Events were missed that the server no longer has: channels and presence have to be read again. So it is at the first connection without a cursor. */
  reset(cursor: Cursor): void;
}

/** Where an inbox has to begin, so that its events bring this bootstrap up to date: then nothing has to be read twice. */
export const inboxCursorOf = ({ inbox }: Pick<Bootstrap, 'inbox'>): Cursor => ({ epoch: inbox.epoch, seq: inbox.as_of_seq });

/** What a device shows: the newest messages of a channel, and of a thread of it. */
export interface Viewing {
  readonly channelId: string;
  readonly threadId: string | null;
}

/** What concerns one user, of all channels: badges, read markers, memberships, over one socket that stays up as long as there is a network. */
export class InboxSession {
  readonly #ports: InboxPorts;
  readonly #listener: Partial<InboxListener>;
  readonly #connection: Connection<InboxWire>;
  #state = EMPTY_INBOX;
  #unwatch: (() => void) | null = null;
  #toldActive = true;
  #viewing: Viewing | null = null;

  /** `since`: where an earlier session stood, if its state is at hand still; or `inboxCursorOf` a bootstrap. */
  constructor(ports: InboxPorts, listener: Partial<InboxListener>, since: Cursor | null = null) {
    const { api, clock, random, openSocket, conditions } = ports;
    this.#ports = ports;
    this.#listener = listener;
    this.#connection = new Connection<InboxWire>(
      {
        url: api.inboxUrl(),
        since,
        openSocket,
        ...(ports.tickets && { ticket: async () => (await api.socketTicket()).ticket }),
        diagnose: () => api.bootstrap(),
        ...(conditions && { conditions }),
        clock,
        random,
      },
      {
        stateChanged: (state) => this.#connectionChanged(state),
        events: (events) => this.#receive(events),
        reset: (cursor) => this.#reset(cursor),
        state: (frame) => frame.type === 'badges' && this.#setState(applyBadges(this.#state, frame.badges, frame.full)),
      },
    );
  }

  get state(): InboxState {
    return this.#state;
  }

  get cursor(): Cursor | null {
    return this.#connection.cursor;
  }

  start(): void {
    this.#unwatch ??= this.#ports.activity?.watch(() => this.#tellActivity()) ?? null;
    this.#connection.start();
  }

  stop(): void {
    this.#unwatch?.();
    this.#unwatch = null;
    this.#connection.stop();
  }

  /** Someone looks, or the network is back. */
  wake(): void {
    this.start();
    this.#connection.wake();
  }

  /**
   * Moves the read marker of a channel up to `pos`: here at once, on the server and all devices when the socket carries it there, and to the newest message at most. Answers where it stands. `generation`: that in which its user
   * read so far; where something was marked as unread since, the marker stays. It is named even where it is 0, as there is none that the server could take for it.
   */
  async markRead(channelId: string, pos: number, generation = readPlaceIn(this.#state, channelId).generation): Promise<ReadResult> {
    const place = { generation, pos };
    this.#setState(withInboxRead(this.#state, channelId, place));
    const stands: ReadResult = await this.#connection.command({ type: 'read', channel_id: channelId, pos, generation });
    this.#setState(withoutExcess(this.#state, channelId, place, stands.read_pos));
    this.#learnRead(channelId, stands);
    return stands;
  }

  /** Marks a channel as unread from the message at `pos` on, on all devices. How much that is, the server counts. */
  async markUnread(channelId: string, pos: number): Promise<ReadResult> {
    const { generation } = readPlaceIn(this.#state, channelId);
    const stands: ReadResult = await this.#connection.command({ type: 'mark_unread', channel_id: channelId, pos, generation });
    this.#learnRead(channelId, stands);
    return stands;
  }

  #learnRead(channelId: string, { read_pos: pos, generation = 0 }: ReadResult): void {
    this.#setState(withInboxRead(this.#state, channelId, { generation, pos }));
  }

  /** What this device shows its user now; null: no channel, or nobody can see it. Nobody is notified of what they are reading. */
  view(viewing: Viewing | null): void {
    if (viewing?.channelId === this.#viewing?.channelId && viewing?.threadId === this.#viewing?.threadId) return;
    this.#viewing = viewing;
    this.#tellViewing();
  }

  /** Badges come in full by themselves. */
  #reset(cursor: Cursor): void {
    this.#setState({ ...this.#state, chosen: null });
    this.#listener.reset?.(cursor);
  }

  #receive(events: readonly InboxEvent[]): void {
    this.#setState(applyInboxEvents(this.#state, events));
    this.#listener.events?.(events);
  }

  #connectionChanged(state: ConnectionState): void {
    if (state.name === 'open') this.#opened();
    this.#listener.connectionChanged?.(state);
  }

  /** A socket begins as active, and shows nothing. */
  #opened(): void {
    this.#toldActive = true;
    this.#tellActivity();
    if (this.#viewing !== null) this.#tellViewing();
  }

  /** Dropped where no socket is open: the next one is told. */
  #tellViewing(): void {
    const { channelId: channel_id = null, threadId = null } = this.#viewing ?? {};
    this.#connection.notify({ type: 'viewing', channel_id, ...(threadId !== null && { thread_id: threadId }) });
  }

  #tellActivity(): void {
    const isActive = this.#ports.activity?.isActive ?? true;
    if (isActive === this.#toldActive || this.#connection.state.name !== 'open') return;
    this.#toldActive = isActive;
    this.#connection.notify({ type: 'activity', state: isActive ? 'active' : 'idle' });
  }

  #setState(state: InboxState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#listener.stateChanged?.(state);
  }
}
