import { Buffer } from 'node:buffer';
import { connect as openTcp } from 'cloudflare:sockets';
import { env } from 'cloudflare:workers';
import { uuidv7 } from 'uuidv7';
import { vi } from 'vitest';
import { connect, type Sql } from '../../db/client.ts';
import { DriverSocket } from '../../db/driver-socket.ts';
import type { ChannelEvent, MemberRole } from '../../protocol/events.ts';
import { type ServerFrame, serverFrameSchema } from '../../protocol/frames.ts';
import { SUBPROTOCOL } from '../../protocol/version.ts';
import type { ChannelRoom } from './channel-room.ts';
import type { Actor } from '../sockets/actor-api.ts';
import type { NodeSocketRequest } from '../fanout-node/node-api.ts';
import { type MemberChange, type Placement, SOCKET_REQUEST_HEADER, type SocketRequest } from './room-api.ts';

/** A channel in Postgres with its room, for tests in workerd. */
export interface RoomFixture {
  readonly channelId: string;
  /** A fresh stub each time: one whose object was aborted stays broken. */
  readonly room: DurableObjectStub<ChannelRoom>;
  readonly alice: Actor;
  readonly bob: Actor;
  /** Makes a user without a membership. */
  stranger(): Promise<Actor>;
  /** Adds or removes a member in Postgres and returns the change the room is to be told of. */
  change(actor: Actor, role: MemberRole | null): Promise<MemberChange>;
  connect(actor: Actor, since?: SocketRequest['since']): Promise<TestSocket>;
  drained(): Promise<StoredLog>;
}

export interface StoredLog {
  readonly epoch: number;
  readonly fence: number;
  readonly drained_seq: number;
}

export async function withPostgres<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
  const connection = connect(env.POSTGRES.connectionString, {
    max: 1,
    applicationName: 'colink-test',
    openSocket: (address) => new DriverSocket(openTcp(address), (bytes) => Buffer.from(bytes)),
  });
  try {
    return await work(connection.sql);
  } finally {
    await connection.close(1);
  }
}

const actorOf = (userId: string): Actor => ({ user_id: userId, credential_id: uuidv7(), expires_at: Date.now() + 3_600_000 });

async function insertUser(sql: Sql): Promise<string> {
  const id = uuidv7();
  await sql`INSERT INTO users (id, issuer, subject, handle, display_name) VALUES (${id}, 'test', ${id}, ${id}, 'Somebody')`;
  return id;
}

/** A channel whose owner is Alice and whose member is Bob. */
export async function roomFixture(kind: 'public' | 'private' = 'public'): Promise<RoomFixture> {
  const channelId = uuidv7();
  const [alice, bob] = await withPostgres(async (sql) => {
    await sql`SELECT premake_partitions(0, 1)`;
    const ids = [await insertUser(sql), await insertUser(sql)] as const;
    await sql`INSERT INTO channels (id, kind, name, created_by, members_version) VALUES (${channelId}, ${kind}, ${channelId}, ${ids[0]}, 2)`;
    await sql`INSERT INTO members (channel_id, user_id, role, version) VALUES (${channelId}, ${ids[0]}, 'owner', 1), (${channelId}, ${ids[1]}, 'member', 2)`;
    await sql`INSERT INTO conversation_logs (channel_id) VALUES (${channelId})`;
    return ids;
  });
  const stub = () => env.ROOMS.getByName(channelId);
  return {
    channelId,
    get room() {
      return stub();
    },
    alice: actorOf(alice),
    bob: actorOf(bob),
    stranger: async () => actorOf(await withPostgres(insertUser)),
    change: (actor, role) => withPostgres((sql) => changeMember(sql, channelId, actor.user_id, role)),
    connect: (actor, since = null) => TestSocket.open(stub(), { channel_id: channelId, actor, since }),
    drained: () => withPostgres((sql) => storedLog(sql, channelId)),
  };
}

async function changeMember(sql: Sql, channelId: string, userId: string, role: MemberRole | null): Promise<MemberChange> {
  const [row] = await sql<{ version: number }[]>`
    UPDATE channels SET members_version = members_version + 1 WHERE id = ${channelId} RETURNING members_version::float8 AS version`;
  const version = row?.version ?? 0;
  if (role === null) await sql`DELETE FROM members WHERE channel_id = ${channelId} AND user_id = ${userId}`;
  else await sql`INSERT INTO members (channel_id, user_id, role, version) VALUES (${channelId}, ${userId}, ${role}, ${version})`;
  return { event_id: uuidv7(), user_id: userId, actor_id: userId, role, version };
}

async function storedLog(sql: Sql, channelId: string): Promise<StoredLog> {
  const [log] = await sql<StoredLog[]>`
    SELECT epoch, fence::float8 AS fence, drained_seq::float8 AS drained_seq FROM conversation_logs WHERE channel_id = ${channelId}`;
  if (log === undefined) throw new Error('the channel has no log');
  return log;
}

function ask(object: Fetcher, wanted: SocketRequest | NodeSocketRequest): Promise<Response> {
  const headers = { Upgrade: 'websocket', 'Sec-WebSocket-Protocol': `${SUBPROTOCOL}, colink.ticket.x`, [SOCKET_REQUEST_HEADER]: JSON.stringify(wanted) };
  return object.fetch('https://room/', { headers });
}

export type FrameOf<T extends ServerFrame['type']> = Extract<ServerFrame, { type: T }>;

/** The client's end of a room's socket: keeps what came, parsed by the wire's own schema. */
export class TestSocket {
  readonly frames: ServerFrame[] = [];
  pongs = 0;
  closed: { readonly code: number; readonly reason: string } | null = null;
  #acking = false;
  readonly #webSocket: WebSocket;

  static async open(room: Fetcher, wanted: SocketRequest): Promise<TestSocket> {
    const response = await TestSocket.request(room, wanted);
    if (response.webSocket === null) throw new Error(`refused: ${await response.text()}`);
    const socket = new TestSocket(response.webSocket);
    await vi.waitFor(() => socket.welcome, 10_000);
    return socket;
  }

  /** As the Worker does: at the room, or where it has the socket go. */
  static async request(room: Fetcher, wanted: SocketRequest): Promise<Response> {
    const answer = await ask(room, wanted);
    if (answer.status !== 200) return answer;
    const { node, name } = await answer.json<Placement>();
    return await ask(env.NODES.getByName(name), { ...wanted, node });
  }

  private constructor(webSocket: WebSocket) {
    this.#webSocket = webSocket;
    webSocket.addEventListener('message', ({ data }) => this.#receive(data));
    webSocket.addEventListener('close', ({ code, reason }) => {
      this.closed = { code, reason };
    });
    webSocket.accept();
  }

  /** Acknowledges every frame of events from now on. */
  ackAll(): this {
    this.#acking = true;
    return this;
  }

  get welcome(): FrameOf<'welcome'> {
    const [first] = this.frames;
    if (first?.type !== 'welcome') throw new Error('no welcome came first');
    return first;
  }

  get events(): ChannelEvent[] {
    return this.frames.flatMap((frame) => (frame.type === 'events' ? frame.events : []));
  }

  get seqs(): number[] {
    return this.events.map((event) => event.seq);
  }

  result(id: string): FrameOf<'result'> | undefined {
    return this.frames.find((frame): frame is FrameOf<'result'> => frame.type === 'result' && frame.re === id);
  }

  send(frame: unknown): void {
    this.#webSocket.send(typeof frame === 'string' || frame instanceof ArrayBuffer ? frame : JSON.stringify(frame));
  }

  close(): void {
    this.#webSocket.close(1000);
  }

  #receive(data: unknown): void {
    if (data === 'pong') {
      this.pongs += 1;
      return;
    }
    const frame = serverFrameSchema.parse(JSON.parse(String(data)));
    this.frames.push(frame);
    if (this.#acking && frame.type === 'events') this.send({ type: 'ack', seq: frame.to });
  }
}

/** Events `from` to `to`, as numbers. */
export const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);

let sends = 0;
export const sendOf = (text: string, client_msg_id = `c${(sends += 1)}`) => ({ type: 'send', client_msg_id, text }) as const;
