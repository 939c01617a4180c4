import { createApi } from '../../client/http.ts';
import { InboxSession } from '../../client/inbox-session.ts';
import { readPlaceIn } from '../../client/inbox-state.ts';
import { ReadMarker } from '../../client/read-marker.ts';
import type { Badge, ReadResult } from '../../protocol/frames.ts';
import type { InboxEvent } from '../../protocol/inbox-events.ts';
import { isLaterPlace, laterPlace, type ReadPlace } from '../../protocol/read-places.ts';
import { Gateway, type GatewayPorts } from './gateway.ts';
import type { InboxObject } from './inbox-object.ts';
import type { ObjectPorts } from './simulated-object.ts';

export interface InboxDevicePorts extends GatewayPorts, Pick<ObjectPorts, 'stored' | 'watch' | 'trace'> {}

/** One device that listens to its user's inbox: the real client, before a network that fails. */
export class InboxDevice {
  readonly name: string;
  readonly inbox: InboxObject;
  /** The latest place of the marker that was answered. */
  read: ReadPlace = { generation: 0, pos: 0 };
  readonly #ports: InboxDevicePorts;
  readonly #gateway: Gateway;
  #session: InboxSession | null = null;
  #marker: ReadMarker | null = null;
  #wanted: ReadPlace = this.read;
  #heard = 0;
  #isActive = true;
  #activityChanged: () => void = () => {};

  constructor(name: string, inbox: InboxObject, ports: InboxDevicePorts) {
    this.name = name;
    this.inbox = inbox;
    this.#ports = ports;
    this.#gateway = new Gateway(inbox.stored.userId, ports);
  }

  get session(): InboxSession | null {
    return this.#session;
  }

  get isActive(): boolean {
    return this.#session !== null && this.#isActive;
  }

  /** What is unread, as its user sees it. */
  get unread(): Badge[] {
    return [...(this.#session?.state.badges.values() ?? [])].filter(({ unread }) => unread > 0);
  }

  /** `since`: where it stood, as a page that was put to sleep remembers it. */
  start(): void {
    const { schedule, random, trace } = this.#ports;
    this.stop();
    const api = createApi({ baseUrl: 'http://colink.test' });
    const bootstrap = { me: ME, channels: [], direct_channels: [], users: [], inbox: { epoch: 1, as_of_seq: 0 } };
    const session: InboxSession = new InboxSession(
      {
        api: { ...api, bootstrap: () => this.#gateway.ask(() => bootstrap), socketTicket: () => this.#gateway.ask(() => this.#gateway.ticket()) },
        openSocket: (url, protocols) => this.#gateway.openSocket(new URL(url), protocols, (...socket) => this.inbox.connect(...socket)),
        tickets: true,
        clock: schedule,
        random,
        activity: this.#activity(),
      },
      {
        connectionChanged: (state) => trace.note(() => `${this.name} is ${JSON.stringify(state)}`),
        events: (events) => this.#events(events, session.cursor?.epoch ?? 0),
        reset: ({ seq }) => (this.#heard = seq),
      },
    );
    this.#session = session;
    this.#marker = new ReadMarker((place) => this.#markRead(session, place), this.read, schedule);
    session.start();
  }

  stop(): void {
    this.#session?.stop();
    this.#marker?.stop();
    [this.#session, this.#marker, this.#wanted] = [null, null, this.read];
  }

  setActive(isActive: boolean): void {
    this.#isActive = isActive;
    this.#activityChanged();
  }

  /** Its user has the channel before their eyes, or no longer. */
  view(isShown: boolean): void {
    const { stored, watch } = this.#ports;
    if (isShown) watch.viewers.add(this.inbox.stored.userId);
    this.#session?.view(isShown ? { channelId: stored.channelId, threadId: null } : null);
  }

  /** Nothing that its user has read is still to be told. */
  get hasTold(): boolean {
    return !isLaterPlace(this.#wanted, this.read);
  }

  /** Its user has read the channel up to `pos`: told until it was answered, unless something is marked as unread meanwhile. */
  readTo(pos: number): void {
    if (this.#marker === null) return;
    const { generation } = this.#known();
    this.#wanted = laterPlace({ generation, pos }, this.#wanted);
    this.#marker.moveTo({ generation, pos });
  }

  /** It may be lost: who marks as unread sees what becomes of it. */
  markUnread(pos: number): void {
    const { session } = this;
    if (session === null) return;
    const { channelId } = this.#ports.stored;
    session.markUnread(channelId, pos).then((stands) => this.#learn(stands), () => {});
  }

  async #markRead(session: InboxSession, { generation, pos }: ReadPlace): Promise<ReadResult> {
    const stands = await session.markRead(this.#ports.stored.channelId, pos, generation);
    this.#learn(stands);
    // No further than the newest message, however far it was wanted.
    if (stands.read_pos < pos && !isLaterPlace(this.#wanted, { generation, pos })) this.#wanted = this.read;
    return stands;
  }

  #known(): ReadPlace {
    return this.#session === null ? this.read : readPlaceIn(this.#session.state, this.#ports.stored.channelId);
  }

  /** Where the marker stands, as this device was answered or told: what it wanted of an earlier generation is overtaken. */
  #learn({ read_pos: pos, generation = 0 }: ReadResult): void {
    this.read = laterPlace({ generation, pos }, this.read);
    this.#wanted = laterPlace(this.read, this.#wanted);
    if (this.read.generation > 0) this.#marker?.learn(this.read);
  }

  #activity() {
    const isActive = (): boolean => this.#isActive;
    return {
      get isActive() {
        return isActive();
      },
      watch: (changed: () => void) => {
        this.#activityChanged = changed;
        return () => (this.#activityChanged = () => {});
      },
    };
  }

  #events(events: readonly InboxEvent[], epoch: number): void {
    const { watch } = this.#ports;
    for (const event of events) {
      if (event.seq !== this.#heard + 1) watch.violate('G4', `${this.name} heard of event ${event.seq} after ${this.#heard}`);
      this.#heard = event.seq;
      watch.isTrue(watch.inbox(this.inbox.stored.userId), event, epoch);
      if (event.type === 'read.moved' && event.generation !== undefined) this.#learn(event);
    }
  }
}

const ME = { id: 'me', handle: 'me', display_name: 'Me', role: 'member', avatar: null } as const;
