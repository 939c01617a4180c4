import { Alarms } from '../../durable-objects/alarms.ts';
import type { Redeemed } from '../../durable-objects/sockets/actor-api.ts';
import type { Room } from '../../durable-objects/channel-room/room.ts';
import { INBOX_ALARMS, type InboxAlarm } from '../../durable-objects/user-inbox/inbox-alarms.ts';
import { bootstrapInbox } from '../../durable-objects/user-inbox/inbox-bootstrap.ts';
import type { InboxRecord } from '../../durable-objects/user-inbox/inbox-record.ts';
import { InboxState } from '../../durable-objects/user-inbox/inbox-state.ts';
import { Inbox } from '../../durable-objects/user-inbox/inbox.ts';
import type { InboxPorts } from '../../durable-objects/user-inbox/inbox-ports.ts';
import type { PresenceNotice, WatchedPresence } from '../../durable-objects/user-inbox/presence-api.ts';
import { PresenceTable } from '../../durable-objects/user-inbox/presence-table.ts';
import { Tickets } from '../../durable-objects/user-inbox/tickets.ts';
import type { Outcome } from '../../protocol/errors.ts';
import type { InboxServerFrame } from '../../protocol/frames.ts';
import type { PresenceState } from '../../protocol/presence.ts';
import type { Since } from './gateway.ts';
import { Asking, logStore } from './record.ts';
import { type Core, type Life, type ObjectPorts, SimulatedObject, valueOf } from './simulated-object.ts';
import type { StoredInbox } from './stored-inbox.ts';
import type { Told } from './watch.ts';
import type { Said, Wire } from './wire.ts';

export type SimulatedInbox = Inbox<Wire>;
/** One call to the channel's room. */
export type CallRoom = <T>(work: (room: Room<Wire>) => T | Promise<T>) => Promise<Outcome<T>>;

/** What lives in an instance: as in `user-inbox.ts`, presence is answered and credentials are revoked before the inbox knows its user. */
interface Shell extends Core {
  readonly presences: PresenceTable;
  readonly tickets: Tickets;
  inbox: SimulatedInbox | null;
  open(): Promise<Outcome<SimulatedInbox>>;
  watchPresence(channelId: string): WatchedPresence;
}

/** The platform under the inbox of one user. The shell in `user-inbox.ts`, simulated. */
export class InboxObject extends SimulatedObject<Shell, InboxServerFrame> {
  readonly stored: StoredInbox;
  readonly #callRoom: CallRoom;
  #captured = 0;
  #ids = 0;
  #told = { version: 0, at: Number.NEGATIVE_INFINITY };

  constructor(stored: StoredInbox, ports: ObjectPorts, callRoom: CallRoom) {
    super(`the inbox of ${stored.handle}`, ports);
    this.stored = stored;
    this.#callRoom = callRoom;
  }

  /** What others are told of the user; null before there was anything. */
  get seen(): PresenceState | null {
    return this.#rows<{ state: PresenceState }>('presence', 'SELECT state FROM presence')[0]?.state ?? null;
  }

  async connect(wire: Wire, redeemed: Redeemed, since: Since): Promise<boolean> {
    const joined = await this.inbox((inbox) => inbox.join({ ...redeemed, since }, () => this.accept(wire, redeemed.actor)));
    return 'ok' in joined && 'ok' in joined.ok;
  }

  /** One call by RPC to an inbox that knows its user, or reads itself from Postgres first. */
  inbox<T>(work: (inbox: SimulatedInbox) => T | Promise<T>): Promise<Outcome<T>> {
    return flat(this.perform((shell) => opened(shell, work)));
  }

  /** The same over a network that loses calls. */
  callInbox<T>(work: (inbox: SimulatedInbox) => T | Promise<T>): Promise<Outcome<T>> {
    return flat(this.call((shell) => opened(shell, work)));
  }

  /** Its storage is lost, if it is asleep and Postgres has everything: it starts over in a new epoch. */
  wipe(): void {
    const { trace, watch } = this.ports;
    const head = watch.inbox(this.stored.userId).head;
    if (this.life !== null || this.#undrained() !== 0 || this.stored.place.drained_seq !== head) return;
    trace.note(() => `the storage of ${this.name} is lost`);
    InboxState.forget(this.disk.sql);
    this.disk.flush();
  }

  protected override open(life: Life<Shell>): Shell {
    const [presences, tickets] = [new PresenceTable(this.disk.sql), new Tickets(this.disk.sql)];
    const record = this.#record(life);
    let opening: Promise<Outcome<SimulatedInbox>> | null = null;
    const shell: Shell = {
      presences,
      tickets,
      inbox: null,
      open: async () => (shell.inbox === null ? await (opening ??= this.#bootstrap(shell, record, life).finally(() => (opening = null))) : { ok: shell.inbox }),
      watchPresence: (channelId) => presences.watch(this.stored.userId, channelId),
      message: async (wire, data) => await shell.inbox?.message(wire, data),
      left: (wire) => shell.inbox?.left(wire),
    };
    shell.inbox = this.#openStored(shell, record, life);
    return shell;
  }

  protected override async fill(): Promise<Outcome<Shell>> {
    return { problem: { code: 'internal' } };
  }

  protected override async ring({ inbox }: Shell, life: Life<Shell>): Promise<void> {
    if (inbox !== null) return await inbox.alarm();
    // It starts over: what has rung must not stand in the way of what will be set.
    this.#alarms(life).due(this.now());
  }

  protected override tells(told: Told, frame: InboxServerFrame, said: Said): void {
    this.ports.watch.tellsUser(this.stored.userId, told, frame, said);
  }

  protected override flushed(): void {
    const { watch } = this.ports;
    const truth = watch.inbox(this.stored.userId);
    for (const { seq, json } of this.#rows<{ seq: number; json: string }>('events', 'SELECT seq, json FROM events WHERE seq > ? ORDER BY seq', this.#captured)) {
      if (seq > truth.head) watch.logged(this.stored.userId, JSON.parse(json));
      watch.becameDurable(truth, seq, json);
      this.#captured = seq;
    }
    const [row] = this.#rows<{ version: number; told_at: number }>('presence', 'SELECT version, told_at FROM presence');
    if (row !== undefined && row.version !== this.#told.version) this.#changed(row.version, row.told_at);
  }

  #changed(version: number, at: number): void {
    this.ports.watch.changesPresence(this.stored.userId, this.#told, { version, at });
    this.#told = { version, at };
  }

  async #bootstrap(shell: Shell, record: InboxRecord, life: Life<Shell>): Promise<Outcome<SimulatedInbox>> {
    try {
      await bootstrapInbox(this.disk.sql, record, shell.presences, this.stored.userId);
    } catch {
      return { problem: { code: 'unavailable', retry_after: 1 } };
    }
    this.#captured = Math.max(this.#captured, this.stored.place.drained_seq);
    shell.inbox = this.#openStored(shell, record, life);
    return shell.inbox === null ? { problem: { code: 'internal' } } : { ok: shell.inbox };
  }

  #openStored(shell: Shell, record: InboxRecord, life: Life<Shell>): SimulatedInbox | null {
    const state = InboxState.open(this.disk.sql, () => this.#newId());
    if (state === null) return null;
    const inbox: SimulatedInbox = new Inbox(state, this.#inboxPorts(shell, record, life));
    inbox.resume(this.found());
    return inbox;
  }

  #record(life: Life<Shell>): InboxRecord {
    const { schedule, random, reach, watch } = this.ports;
    const { stored } = this;
    const asking = new Asking({ schedule, random, reach, alive: () => life.alive });
    const ask: Asking['ask'] = (transaction) => asking.ask(transaction);
    return {
      ...logStore(stored, { ask }, (events, epoch) => watch.drained(watch.inbox(stored.userId), events, epoch)),
      readUser: () => asking.transaction(() => ({ claimed: stored.claim(), channels: stored.channelRows(), wish: { choice: 'auto', status: null, version: 0 } })),
      findChannel: () => ask(() => stored.findChannel()),
      wake: (version) => ask(() => stored.wake(version)),
      logPresence: (event) => ask(() => void stored.presence.push(event)),
      rest: () => asking.isResting,
    };
  }

  #alarms(life: Life<Shell>): Alarms<InboxAlarm> {
    return new Alarms(this.disk.sql, INBOX_ALARMS, { setAlarm: (at) => this.setAlarm(life, at), clearAlarm: () => this.setAlarm(life, null) });
  }

  #inboxPorts(shell: Shell, record: InboxRecord, life: Life<Shell>): InboxPorts<Wire> {
    const { random, tickets, trace } = this.ports;
    return {
      clock: () => this.now(),
      random,
      schedule: (ms, task) => this.after(life, ms, task),
      durable: () => this.disk.durable(),
      alarms: this.#alarms(life),
      record,
      isRevoked: (credentialId) => shell.tickets.isRevoked(credentialId),
      redeem: async (ticket) => tickets.redeem(ticket),
      lastPing: (wire) => this.lastPing(wire),
      presences: shell.presences,
      report: () => {},
      lastPosOf: (_, actor) => this.reach(life, async () => await valueOf(this.#callRoom((room) => room.lastPosFor(actor)))),
      tellRoom: (_, notice) => this.reach(life, () => this.#tellRoom(notice)),
      warn: (message, fields) => trace.note(() => `${this.name} warns: ${message} ${JSON.stringify(fields)}`),
      restart: (reason, forget) => {
        if (forget && life.alive) InboxState.forget(this.disk.sql);
        this.restart(life, reason);
      },
    };
  }

  async #tellRoom(notice: PresenceNotice): Promise<boolean> {
    const isWatched = await valueOf(this.#callRoom((room) => room.presenceChanged(notice)));
    this.ports.trace.note(() => `the room is told by ${this.name}: ${JSON.stringify(notice)}, and ${isWatched ? 'listens' : 'does not listen'}`);
    return isWatched;
  }

  /** Events that Postgres does not have; null where the object knows nothing. */
  #undrained(): number | null {
    return this.#rows<{ n: number }>('inbox_state', 'SELECT seq - drained_seq AS n FROM log_state')[0]?.n ?? null;
  }

  /** None where there is no such table. */
  #rows<T extends Record<string, string | number | null>>(table: string, query: string, ...bindings: number[]): T[] {
    const [found] = this.disk.sql.all<{ n: number }>('SELECT count(*) AS n FROM sqlite_master WHERE name = ?', table);
    return found?.n === 1 ? this.disk.sql.all<T>(query, ...bindings) : [];
  }

  #newId(): string {
    this.#ids += 1;
    return `00000000-0000-7000-9000-${this.stored.userId.slice(-4)}${this.#ids.toString(16).padStart(8, '0')}`;
  }
}

async function opened<T>(shell: Shell, work: (inbox: SimulatedInbox) => T | Promise<T>): Promise<Outcome<T>> {
  const inbox = await shell.open();
  return 'problem' in inbox ? inbox : { ok: await work(inbox.ok) };
}

async function flat<T>(answer: Promise<Outcome<Outcome<T>>>): Promise<Outcome<T>> {
  const outcome = await answer;
  return 'problem' in outcome ? outcome : outcome.ok;
}
