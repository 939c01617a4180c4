import type { CloseCode } from '../../protocol/close-codes.ts';
import type { Outcome, Problem } from '../../protocol/errors.ts';
import type { Telling } from '../fanout-node/node-api.ts';
import type { Whose } from '../sockets/whose.ts';
import type { FanoutLog } from '../sockets/fanout-log.ts';
import type { SocketLimits } from '../sockets/socket-limits.ts';
import { reconnectFrame } from '../sockets/frames.ts';
import { NodeLink, type NodeStub } from './node-link.ts';
import type { NodeTable, StoredNode } from './node-table.ts';
import { Rosters } from './rosters.ts';

/** Nodes are asked for their counts no more often, unless one has never said. */
const COUNT_EVERY_MS = 1_000;
/** When an instance that finds nodes in doubt, or the next one, tells them again at the latest. */
const RETELL_MS = 30_000;
/** The last node gives its sockets away where it has so few of what it might: within so long, so that not all come at once, and asked so often. */
const SPARSE = 0.1;
const MOVE_WITHIN_MS = 60_000;
const MOVE_EVERY_MS = 600_000;

export interface TreePorts {
  clock(): number;
  random(): number;
  schedule(ms: number, task: () => void): void;
  node(node: number): NodeStub;
  /** One alarm of its own, in epoch milliseconds; kept durably. */
  setAlarm(at: number): void;
  clearAlarm(): void;
  warn(message: string, fields: Readonly<Record<string, unknown>>): void;
  readonly limits: Pick<SocketLimits, 'node' | 'channel'>;
}

/** The nodes as they are now. `vacant`: the first with room. */
interface Survey {
  readonly isFull: boolean;
  readonly isUncertain: boolean;
  readonly vacant: NodeLink | null;
}

const full: Problem = { code: 'unavailable', detail: 'The channel has as many sockets as it may', retry_after: 30 };

/**
 * The sockets that are too many for the room: on nodes, of which it opens one more when all are full, and lets go of those that are empty. New sockets
 * go to the first node with room, so that the last empty first.
 *
 * What a node has been told is in memory, and in the table where that is everything (`settle`). Before the first event after that is told, the
 * table says that it is in doubt, in the commit of that event; so an instance that finds doubt tells its nodes where the log stands, and they read
 * what they have missed. An alarm sees to that where nothing else wakes the room.
 */
export class Tree {
  readonly #table: NodeTable;
  readonly #log: FanoutLog;
  readonly #ports: TreePorts;
  readonly #rosters: Rosters;
  readonly #links = new Map<number, NodeLink>();
  #settled: boolean;
  #counting: Promise<void> | null = null;
  #countedAt = 0;
  #movedAt = 0;

  constructor(table: NodeTable, log: FanoutLog, ports: TreePorts) {
    this.#table = table;
    this.#log = log;
    this.#ports = ports;
    this.#rosters = new Rosters(table);
    const nodes = table.all();
    for (const stored of nodes) this.#links.set(stored.node, this.#link(stored, null));
    this.#settled = nodes.every(({ told, isTrusted }) => told !== null && isTrusted);
  }

  /** How many sockets the nodes have, as far as they have said. */
  get sockets(): number {
    return [...this.#links.values()].reduce((sum, { sockets }) => sum + (sockets ?? 0), 0);
  }

  get isGrown(): boolean {
    return this.#links.size > 0;
  }

  /** What an instance does about the nodes that it finds. True: there is something to tell. */
  resume(): boolean {
    if (!this.#settled) this.retell();
    return !this.#settled;
  }

  /** Events were committed in this very turn. */
  publish(): void {
    if (this.#links.size === 0) return;
    this.#doubt();
    for (const link of this.#links.values()) link.publish();
  }

  /** Tells every node that does not know it where the log stands; the alarm rang, or there is doubt. */
  retell(): void {
    this.#ports.setAlarm(this.#ports.clock() + RETELL_MS);
    for (const link of this.#links.values()) link.retry();
  }

  /** All that is to be told is told, or nobody can be told it now. Then nothing of this keeps the room awake. */
  settle(): boolean {
    this.#tidy();
    const links = [...this.#links.values()];
    if (!links.every((link) => link.settled !== null || link.isLost)) return false;
    if (this.#settled || links.some((link) => link.isLost)) return true;
    for (const { node, settled } of links) if (settled !== null) this.#table.settle(node, settled);
    this.#settled = true;
    this.#ports.clearAlarm();
    return true;
  }

  /** The node where one more socket of the channel goes; `own`: how many the room itself has. */
  async place(own: number): Promise<Outcome<number>> {
    let found = this.#survey(own);
    if (found.isUncertain || found.isFull || found.vacant === null) {
      await this.#count(found);
      found = this.#survey(own);
    }
    if (found.isFull) return { problem: full };
    const link = found.vacant ?? this.#grow();
    link.place();
    return { ok: link.node };
  }

  /** A socket has come to where it was placed, and may stay. False: the node is none of this room's any more. */
  admit(node: number): boolean {
    const link = this.#links.get(node);
    link?.admit();
    return link !== undefined;
  }

  /** A node says who is there. One that is none of this room's any more says nothing. */
  hearRoster(node: number, users: Float64Array): void {
    if (this.#links.has(node)) this.#rosters.hear(node, users, this.#ports.clock());
  }

  /** How many users have a socket on a node or are among these, each once; ids are hashed by `hash53`. As old as what the nodes last said. */
  countUsers(own: readonly number[]): number {
    return this.#rosters.count(own, this.#ports.clock());
  }

  /** As `NodeApi.tell`, to all nodes. False: not all could be reached. */
  async tell(telling: Telling): Promise<boolean> {
    return (await Promise.all([...this.#links.values()].map((link) => link.tell(telling)))).every(Boolean);
  }

  /** Resolves when the sockets are closed, on all nodes; rejects where a node cannot be told, and is to be repeated. */
  async closeWhere(whose: Whose, code: CloseCode, reason: string): Promise<void> {
    await Promise.all([...this.#links.values()].map((link) => link.closeWhere(whose, code, reason)));
  }

  /** In one round, for there may be hundreds. A node that has not said how many it has, and cannot be asked, takes none. */
  #survey(own: number): Survey {
    const { limits } = this.#ports;
    let [sockets, isUncertain, vacant]: [number, boolean, NodeLink | null] = [own, false, null];
    for (const link of this.#links.values()) {
      const there = link.sockets;
      isUncertain ||= there === null;
      sockets += there ?? 0;
      if (there !== null && there < limits.node) vacant ??= link;
    }
    return { isFull: sockets >= limits.channel, isUncertain, vacant };
  }

  #grow(): NodeLink {
    let node = 1;
    while (this.#links.has(node)) node += 1;
    // It may have been a node of this room before, and stand where it stood then: it is told where the log stands now.
    const link = this.#link({ node, told: null, isTrusted: true }, 0);
    this.#table.add(node);
    this.#doubt();
    this.#links.set(node, link);
    link.publish();
    return link;
  }

  #link(stored: StoredNode, sockets: number | null): NodeLink {
    const { node } = stored;
    return new NodeLink(stored, sockets, this.#log, {
      clock: () => this.#ports.clock(),
      random: () => this.#ports.random(),
      schedule: (ms, task) => this.#ports.schedule(ms, task),
      stub: () => this.#ports.node(node),
      failed: (error, attempts) => this.#ports.warn('a node could not be reached', { node, attempts, error: String(error) }),
      trusted: (isTrusted) => this.#trust(node, isTrusted),
    });
  }

  #trust(node: number, isTrusted: boolean): void {
    if (isTrusted) return this.#table.trust(node);
    this.#table.distrust(node);
    this.#doubt();
  }

  #doubt(): void {
    if (!this.#settled) return;
    this.#settled = false;
    this.#table.doubt();
    this.#ports.setAlarm(this.#ports.clock() + RETELL_MS);
  }

  async #count({ isUncertain }: Survey): Promise<void> {
    if (this.#links.size === 0 || (!isUncertain && this.#ports.clock() - this.#countedAt < COUNT_EVERY_MS)) return;
    this.#counting ??= this.#countAll().finally(() => (this.#counting = null));
    await this.#counting;
  }

  async #countAll(): Promise<void> {
    await Promise.allSettled([...this.#links.values()].map((link) => link.count()));
    this.#countedAt = this.#ports.clock();
  }

  /** Lets go of nodes that are empty. */
  #tidy(): void {
    for (const link of this.#links.values()) if (link.isUnused) this.#drop(link);
    if (this.#ports.clock() - this.#movedAt >= MOVE_EVERY_MS) this.#shrink();
  }

  /** Has the sockets of the last node come back, where they are few, and others have room for many times as many. */
  #shrink(): void {
    const [last, ...others] = [...this.#links.values()].toSorted((a, b) => b.node - a.node);
    const most = this.#ports.limits.node;
    if (last === undefined || last.sockets === null || last.sockets === 0 || last.sockets > most * SPARSE) return;
    if (others.reduce((room, { sockets }) => room + most - (sockets ?? most), 0) < most / 2) return;
    this.#movedAt = this.#ports.clock();
    void last.tell({ frame: reconnectFrame(MOVE_WITHIN_MS) });
  }

  #drop({ node }: NodeLink): void {
    this.#table.remove(node);
    this.#rosters.forget(node);
    this.#links.delete(node);
  }
}
