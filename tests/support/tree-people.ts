import type { RoomSocket, SocketRecord } from '../../durable-objects/sockets/socket-record.ts';

/** What people see of the world of the tree. */
interface PeopleWorld {
  readonly violations: string[];
  /** Nothing is lost any more, and everybody acknowledges. */
  readonly calm: boolean;
  /** `task` within so many milliseconds. */
  after(ms: number, task: () => void): void;
  /** Null: it was refused, or never answered. */
  connect(person: Person): Promise<Wire | null>;
  say(wire: Wire, frame: object): void;
}

/** A socket at a node, and the person at its other end, who resumes where they are. */
export class Wire implements RoomSocket {
  readonly person: Person;
  readonly node: number;
  saved: SocketRecord | null = null;
  open = true;

  constructor(person: Person, node: number) {
    this.person = person;
    this.node = node;
  }

  send(frame: string): void {
    if (this.open) this.person.receive(this, frame);
  }

  close(): void {
    if (!this.open) return;
    this.open = false;
    this.person.closed();
  }

  save(record: SocketRecord): void {
    this.saved = structuredClone(record);
  }
}

export class Person {
  readonly #world: PeopleWorld;
  readonly #acks: boolean;
  last = 0;
  wire: Wire | null = null;
  #connecting = false;

  constructor(world: PeopleWorld, acks: boolean) {
    this.#world = world;
    this.#acks = acks;
    this.closed();
  }

  /** While it connects, that tells by itself. */
  closed(): void {
    if (this.#connecting) return;
    [this.wire, this.#connecting] = [null, true];
    this.#world.after(200, () => void this.#connect());
  }

  receive(wire: Wire, text: string): void {
    const frame: { type: string; from: number; to: number; events: { seq: number }[] } = JSON.parse(text);
    if (frame.type !== 'events') return;
    const whole = frame.events.every(({ seq }, index) => seq === frame.from + index) && frame.events.length === frame.to - frame.from + 1;
    if (frame.from !== this.last + 1 || !whole) this.#world.violations.push(`${this.last} is followed by ${frame.from} to ${frame.to}`);
    this.last = frame.to;
    if (this.#acks || this.#world.calm) this.#world.after(50, () => this.#world.say(wire, { type: 'ack', seq: frame.to }));
  }

  async #connect(): Promise<void> {
    this.wire = await this.#world.connect(this);
    this.#connecting = false;
    if (this.wire === null) this.closed();
  }
}
