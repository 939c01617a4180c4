import { exports } from 'cloudflare:workers';
import { expect, vi } from 'vitest';
import { socketTicketSchema } from '../protocol/api.ts';
import { problemSchema } from '../protocol/errors.ts';
import type { ChannelEvent } from '../protocol/events.ts';
import { inboxServerFrameSchema, serverFrameSchema, type InboxServerFrame, type ServerFrame } from '../protocol/frames.ts';
import type { InboxEvent } from '../protocol/inbox-events.ts';
import { bodyOf, ORIGIN, type Caller } from './api-fixture.ts';

type Frame = ServerFrame | InboxServerFrame;

/** A socket opened through the Worker's own routes, or the problem it was refused with. */
export interface ApiSocket {
  readonly status: number;
  readonly problem: string | null;
  readonly frames: readonly Frame[];
  readonly closed: () => { readonly code: number; readonly reason: string } | null;
  send(frame: object): void;
  /** The answer to the command of this id: `ok`, or a problem's code. */
  answer(id: string): Promise<unknown>;
  close(): void;
}

export const bearer = ({ token }: Caller): Record<string, string> => ({ Authorization: `Bearer ${token}` });
export const ticketOf = async (caller: Caller): Promise<string> => bodyOf(await caller.call('POST', '/v1/socket-tickets'), 201, socketTicketSchema).ticket;
export const offering = (ticket: string, origin = ORIGIN): Record<string, string> => ({ 'Sec-WebSocket-Protocol': `colink.v1, colink.ticket.${ticket}`, Origin: origin });
export const channelSocket = (channelId: string): string => `/v1/channels/${channelId}/socket`;
export const INBOX_SOCKET = '/v1/me/socket';

/** Acknowledges its welcome, as clients do. */
export async function openSocket(path: string, headers: Record<string, string>): Promise<ApiSocket> {
  const response = await exports.default.fetch(new Request(`${ORIGIN}${path}`, { headers: { Upgrade: 'websocket', ...headers } }));
  const { webSocket, status } = response;
  if (webSocket === null) return refused(status, problemSchema.parse(await response.json()).code);
  const schema = path.startsWith(INBOX_SOCKET) ? inboxServerFrameSchema : serverFrameSchema;
  const frames: Frame[] = [];
  let closed: { code: number; reason: string } | null = null;
  webSocket.addEventListener('close', ({ code, reason }) => {
    closed = { code, reason };
  });
  webSocket.addEventListener('message', ({ data }) => {
    const frame = schema.parse(JSON.parse(String(data)));
    frames.push(frame);
    if (frame.type === 'welcome') webSocket.send(JSON.stringify({ type: 'ack', seq: frame.seq }));
  });
  webSocket.accept();
  await vi.waitFor(() => expect(frames[0]?.type).toBe('welcome'), 10_000);
  return {
    status, problem: null, frames,
    closed: () => closed,
    send: (frame) => webSocket.send(JSON.stringify(frame)),
    answer: (id) => vi.waitFor(() => answerIn(frames, id), 10_000),
    close: () => webSocket.close(1000),
  };
}

function answerIn(frames: readonly Frame[], id: string): unknown {
  const result = frames.find((frame) => frame.type === 'result' && frame.re === id);
  if (result?.type !== 'result') throw new Error(`${id} is not answered`);
  return result.problem?.code ?? result.ok;
}

/** All events that came, in order. */
export const eventsOf = ({ frames }: ApiSocket): (ChannelEvent | InboxEvent)[] =>
  frames.flatMap((frame): (ChannelEvent | InboxEvent)[] => (frame.type === 'events' ? frame.events : []));

/** Those behind what the log held when the socket was welcomed. One without a cursor gets more: what Postgres had not taken by then comes first. */
export function liveEventsOf(socket: ApiSocket): (ChannelEvent | InboxEvent)[] {
  const [welcome] = socket.frames;
  if (welcome?.type !== 'welcome') throw new Error('no welcome came first');
  return eventsOf(socket).filter(({ seq }) => seq > welcome.head);
}

const refused = (status: number, problem: string): ApiSocket => ({
  status, problem, frames: [], closed: () => null, send: () => {}, close: () => {},
  answer: () => Promise.reject(new Error(`refused: ${problem}`)),
});
