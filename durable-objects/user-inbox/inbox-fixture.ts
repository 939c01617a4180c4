import { env } from 'cloudflare:workers';
import { uuidv7 } from 'uuidv7';
import { vi } from 'vitest';
import type { Badge } from '../../protocol/frames.ts';
import { type InboxServerFrame, inboxServerFrameSchema } from '../../protocol/frames.ts';
import type { InboxEvent } from '../../protocol/inbox-events.ts';
import { SUBPROTOCOL } from '../../protocol/version.ts';
import { range, roomFixture, type RoomFixture, sendOf, withPostgres } from '../channel-room/room-fixture.ts';
import { SOCKET_REQUEST_HEADER } from '../channel-room/room-api.ts';
import type { Actor } from '../sockets/actor-api.ts';
import type { InboxBadge, InboxNotice, InboxTelling } from '../../protocol/tellings.ts';
import type { InboxSocketRequest } from './inbox-api.ts';
import type { UserInbox } from './user-inbox.ts';

/** A channel in Postgres, and the inbox of its owner, Alice. */
export interface InboxFixture extends RoomFixture {
  /** A fresh stub each time: one whose object was aborted stays broken. */
  readonly inbox: DurableObjectStub<UserInbox>;
  /** So many messages are in the channel, for a marker to stand at. */
  written(count: number): Promise<void>;
  open(since?: InboxSocketRequest['since'], actor?: Actor): Promise<InboxTestSocket>;
  /** What Postgres has of the inbox's log, and of the read marker in the channel. */
  stored(): Promise<{ readonly drained_seq: number; readonly read_pos: number | null; readonly is_awake: boolean }>;
}

export async function inboxFixture(): Promise<InboxFixture> {
  const room = await roomFixture();
  const { alice, channelId } = room;
  const stub = () => env.INBOXES.getByName(alice.user_id);
  return {
    ...room,
    get room() {
      return room.room;
    },
    get inbox() {
      return stub();
    },
    async written(count) {
      const outcome = await room.room.executeBatch(channelId, alice, range(1, count).map((n) => sendOf(`message ${n}`)));
      if ('problem' in outcome) throw new Error(JSON.stringify(outcome.problem));
    },
    open: (since = null, actor = alice) => InboxTestSocket.open(stub(), { actor, since }),
    stored: () =>
      withPostgres(async (sql) => {
        const [row] = await sql<{ drained_seq: number; read_pos: number | null; is_awake: boolean }[]>`
          SELECT l.drained_seq::float8 AS drained_seq, l.is_awake, r.read_pos::float8 AS read_pos
          FROM inbox_logs l LEFT JOIN read_states r ON r.user_id = l.user_id AND r.channel_id = ${channelId} WHERE l.user_id = ${alice.user_id}`;
        return row ?? { drained_seq: 0, read_pos: null, is_awake: false };
      }),
  };
}

export const telling = (parts: Partial<InboxTelling>): InboxTelling => ({ changes: [], notices: [], badges: [], ...parts });

export const badgeOf = (channel_id: string, parts: Partial<InboxBadge> = {}): InboxBadge => ({
  channel_id, role: 'owner', version: 1, epoch: 1, as_of_seq: 1, last_pos: 1, read_pos: 0, unread: 1, mentions: 0, ...parts,
});

export const noticeOf = (channel_id: string, channel_seq: number, parts: Partial<InboxNotice> = {}): InboxNotice => ({
  event_id: uuidv7(), channel_id, role: 'owner', version: 1, reason: 'mention', message_id: uuidv7(), author_id: uuidv7(), channel_seq, pos: channel_seq, thread_id: null, ...parts,
});

/** The client's end of an inbox's socket: keeps what came, parsed by the wire's own schema, and acknowledges it. */
export class InboxTestSocket {
  readonly frames: InboxServerFrame[] = [];
  closed: { readonly code: number } | null = null;
  pongs = 0;
  readonly #webSocket: WebSocket;

  static async open(inbox: Fetcher, wanted: InboxSocketRequest): Promise<InboxTestSocket> {
    const headers = { Upgrade: 'websocket', 'Sec-WebSocket-Protocol': SUBPROTOCOL, [SOCKET_REQUEST_HEADER]: JSON.stringify(wanted) };
    const response = await inbox.fetch('https://inbox/', { headers });
    if (response.webSocket === null) throw new Error(`refused: ${await response.text()}`);
    const socket = new InboxTestSocket(response.webSocket);
    await vi.waitFor(() => socket.welcome, 10_000);
    return socket;
  }

  constructor(webSocket: WebSocket) {
    this.#webSocket = webSocket;
    webSocket.addEventListener('message', ({ data }) => this.#receive(data));
    webSocket.addEventListener('close', ({ code }) => {
      this.closed = { code };
    });
    webSocket.accept();
  }

  get welcome(): Extract<InboxServerFrame, { type: 'welcome' }> {
    const [first] = this.frames;
    if (first?.type !== 'welcome') throw new Error('no welcome came first');
    return first;
  }

  get events(): InboxEvent[] {
    return this.frames.flatMap((frame) => (frame.type === 'events' ? frame.events : []));
  }

  /** The badges as a client has them: each full frame begins anew. */
  get badges(): Badge[] {
    const known = new Map<string, Badge>();
    for (const frame of this.frames) {
      if (frame.type !== 'badges') continue;
      if (frame.full) known.clear();
      for (const badge of frame.badges) known.set(badge.channel_id, badge);
    }
    return [...known.values()];
  }

  result(id: string): InboxServerFrame | undefined {
    return this.frames.find((frame) => frame.type === 'result' && frame.re === id);
  }

  send(frame: unknown): void {
    this.#webSocket.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
  }

  close(): void {
    this.#webSocket.close(1000);
  }

  #receive(data: unknown): void {
    if (data === 'pong') {
      this.pongs += 1;
      return;
    }
    const frame = inboxServerFrameSchema.parse(JSON.parse(String(data)));
    this.frames.push(frame);
    if (frame.type === 'events') this.send({ type: 'ack', seq: frame.to });
    if (frame.type === 'welcome') this.send({ type: 'ack', seq: frame.seq });
  }
}
