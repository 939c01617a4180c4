import { createServer } from 'node:http';
import { uuidv7 } from 'uuidv7';
import { type WebSocket, WebSocketServer } from 'ws';
import { z } from 'zod';
import { connect } from '../../db/client.ts';
import { sendCommand } from '../../protocol/frames.ts';
import { insertTransaction } from '../queries.ts';
import { openRedis } from './redis-pubsub.ts';

/**
 * What Colink's rooms are compared with: a Node gateway of `ws` over Redis, `node bench/peers/ws-gateway.ts '<settings as JSON>'`. A send is inserted
 * into Postgres in a transaction, then published, and every gateway hands it to each of its sockets as a frame of its own; its sender gets a result. It has
 * no authorisation, order, dedupe or resume, and its clients acknowledge nothing. Frames are shaped as a room's, so that one loader serves both.
 */
const settingsSchema = z.strictObject({ port: z.int(), redisPort: z.int(), postgresUrl: z.string(), channelId: z.string() });
export type GatewaySettings = z.infer<typeof settingsSchema>;

const CONNECTIONS = 16;
const limits = { window_events: 1_000, window_bytes: 1_048_576 };
const frameSchema = sendCommand.extend({ id: z.string() });

async function main({ port, redisPort, postgresUrl, channelId }: GatewaySettings): Promise<void> {
  const { sql } = connect(postgresUrl, { max: CONNECTIONS, applicationName: 'bench-gateway' });
  const server = createServer((_, response) => void response.writeHead(204).end());
  const sockets = new WebSocketServer({ server, handleProtocols: () => 'colink.v1', perMessageDeflate: true });
  const redis = await openRedis(redisPort, channelId, (frame) => {
    const bytes = Buffer.from(frame);
    for (const socket of sockets.clients) socket.send(bytes, { binary: false });
  });

  async function take(socket: WebSocket, text: string): Promise<void> {
    if (text === 'ping') return socket.send('pong');
    const { id, client_msg_id, text: said } = frameSchema.parse(JSON.parse(text));
    const message = { id: uuidv7(), channel_id: channelId, author_id: channelId, client_msg_id, text: said };
    const seq = await insertTransaction(sql, message);
    redis.publish(channelId, eventsFrame(seq, message));
    socket.send(JSON.stringify({ type: 'result', re: id, ok: { message_id: message.id, seq, pos: seq, thread_id: null, tpos: null, at: new Date().toISOString(), changed: true } }));
  }

  sockets.on('connection', (socket) => {
    socket.send(JSON.stringify({ type: 'welcome', session: uuidv7(), epoch: 1, seq: 0, head: 0, recovered: false, heartbeat_seconds: 25, limits }));
    socket.on('message', (data) => void take(socket, String(data)).catch((error: unknown) => socket.close(1011, String(error).slice(0, 100))));
  });
  server.listen(port, '127.0.0.1');
  await redis.ended;
}

/** An event as a room would tell it. */
function eventsFrame(seq: number, { id, author_id, client_msg_id, text }: Record<'id' | 'author_id' | 'client_msg_id' | 'text', string>): string {
  const event = { seq, id: uuidv7(), at: new Date().toISOString(), actor_id: author_id, type: 'message.created', message_id: id, client_msg_id, text, pos: seq, thread_id: null, tpos: null, origin: null };
  return `{"type":"events","epoch":1,"from":${seq},"to":${seq},"events":[${JSON.stringify(event)}]}`;
}

await main(settingsSchema.parse(JSON.parse(process.argv[2] ?? '')));
