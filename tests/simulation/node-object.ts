import { Alarms } from '../../durable-objects/alarms.ts';
import { Node } from '../../durable-objects/fanout-node/node.ts';
import { NODE_ALARMS, type NodeAlarm, type NodeRoom } from '../../durable-objects/fanout-node/node-ports.ts';
import type { Room } from '../../durable-objects/channel-room/room.ts';
import type { Redeemed } from '../../durable-objects/sockets/actor-api.ts';
import type { Outcome } from '../../protocol/errors.ts';
import type { ServerFrame } from '../../protocol/frames.ts';
import { type Life, type ObjectPorts, SimulatedObject, valueOf } from './simulated-object.ts';
import type { Told } from './watch.ts';
import type { Said, Wire } from './wire.ts';

type SimulatedNode = Node<Wire>;

/** One call to the room that the node is of. */
export type CallRoom = <T>(work: (room: Room<Wire>) => T | Promise<T>) => Promise<Outcome<T>>;

/** The platform under one node of a channel. The shell in `fanout-node.ts`, simulated. */
export class NodeObject extends SimulatedObject<SimulatedNode> {
  readonly #node: number;
  readonly #callRoom: CallRoom;
  #alarms: Alarms<NodeAlarm> | null = null;

  constructor(node: number, ports: ObjectPorts, callRoom: CallRoom) {
    super(`node ${node}`, ports);
    this.#node = node;
    this.#callRoom = callRoom;
  }

  /** A client's handshake, which the room has sent here. */
  async connect(wire: Wire, redeemed: Redeemed, since: { epoch: number; seq: number } | null): Promise<boolean> {
    const { channelId } = this.ports.stored;
    const joined = await this.perform((node) => node.join({ channel_id: channelId, ...redeemed, since }, () => this.accept(wire, redeemed.actor)));
    return 'ok' in joined && 'ok' in joined.ok;
  }

  protected override open(life: Life<SimulatedNode>): SimulatedNode {
    this.#alarms = new Alarms(this.disk.sql, NODE_ALARMS, {
      setAlarm: (at) => this.setAlarm(life, at),
      clearAlarm: () => this.setAlarm(life, null),
    });
    return new Node(this.found(), {
      name: this.name,
      room: this.#room(life),
      maxSockets: Math.ceil(this.ports.limits.node * 1.2),
      alarms: this.#alarms,
      clock: () => this.now(),
      schedule: (ms, task) => this.after(life, ms, task),
      report: () => {},
      lastPing: (wire) => this.lastPing(wire),
      warn: (message, fields) => this.ports.trace.note(() => `${this.name} warns: ${message} ${JSON.stringify(fields)}`),
    });
  }

  protected override async fill(): Promise<Outcome<SimulatedNode>> {
    return { problem: { code: 'internal' } };
  }

  protected override async ring(node: SimulatedNode): Promise<void> {
    if ((this.#alarms?.due(this.now()).length ?? 0) > 0) await node.alarm();
  }

  protected override flushed(): void {}

  protected override tells(told: Told, frame: ServerFrame, said: Said): void {
    this.ports.watch.tellsMember(told, frame, said);
  }

  #room(life: Life<SimulatedNode>): NodeRoom {
    const ask: <T>(work: (room: Room<Wire>) => T | Promise<T>) => Promise<T> = (work) => this.reach(life, () => valueOf(this.#callRoom(work)));
    return {
      admit: (request) => ask((room) => room.admit(this.#node, request)),
      head: () => ask((room) => room.head),
      eventsBetween: (epoch, ...range) => ask((room) => room.eventsBetween(epoch, ...range)),
      execute: (actor, command) => ask((room) => room.execute(actor, command)),
      executeEach: (commands) => ask((room) => room.executeEach(commands)),
      redeem: (userId, ticket) => ask((room) => room.redeem(userId, ticket)),
      typed: (actor, threadId) => ask((room) => room.typed(actor, threadId)),
      look: () => ask((room) => room.look()),
      roster: (users) => ask((room) => room.roster(this.#node, users)),
    };
  }
}
