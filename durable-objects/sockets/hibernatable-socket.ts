import { z } from 'zod';
import type { CloseCode } from '../../protocol/close-codes.ts';
import type { RoomSocket, SocketRecord } from './socket-record.ts';

const cursorSchema = z.strictObject({ sent: z.int(), acked: z.int(), unread: z.array(z.strictObject({ to: z.int(), bytes: z.int() })) });
const recordSchema = z.strictObject({
  session: z.string(),
  actor: z.strictObject({ user_id: z.string(), credential_id: z.string(), expires_at: z.number() }),
  epoch: z.int(),
  cursor: cursorSchema,
  settled: z.boolean(),
  // A record of before 2026-11-26 says nothing of these.
  watching: z.boolean().default(false),
  owed: z.boolean().default(false),
  missed: z.boolean().default(false),
  noticed: z.boolean().default(false),
  activity: z.strictObject({ idle: z.boolean(), at: z.number() }).nullable().default(null),
  viewing: z.strictObject({ channel_id: z.string(), thread_id: z.string().nullable(), at: z.number() }).nullable().default(null),
}) satisfies z.ZodType<SocketRecord>;

/** A hibernatable WebSocket as a room sees it. Its record is the socket's attachment. */
export class HibernatableSocket implements RoomSocket {
  readonly webSocket: WebSocket;

  constructor(webSocket: WebSocket) {
    this.webSocket = webSocket;
  }

  send(frame: string): void {
    this.webSocket.send(frame);
  }

  close(code: CloseCode, reason: string): void {
    closeQuietly(this.webSocket, code, reason);
  }

  save(record: SocketRecord): void {
    this.webSocket.serializeAttachment(record);
  }

  /** Null: an earlier release wrote it, or it never was admitted. */
  record(): SocketRecord | null {
    const parsed = recordSchema.safeParse(this.webSocket.deserializeAttachment());
    return parsed.success ? parsed.data : null;
  }
}

/** 1005 and 1006 report that there was no code; they may not be sent. */
export function answerClose(webSocket: WebSocket, code: number): void {
  closeQuietly(webSocket, code === 1005 || code === 1006 ? 1000 : code, '');
}

/** A socket that is closed already throws. */
function closeQuietly(webSocket: WebSocket, code: number, reason: string): void {
  try {
    webSocket.close(code, reason);
  } catch {
    // Nothing is left to close.
  }
}
