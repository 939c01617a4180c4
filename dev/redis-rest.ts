import { createServer } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { createApp } from '@humanwhocodes/upstash-redis-server';
import { z } from 'zod';

/** Upstash's REST protocol in front of a Redis, on loopback: `node dev/redis-rest.ts '<settings as JSON>'`. */
const settingsSchema = z.strictObject({ port: z.int(), redisUrl: z.string(), token: z.string() });
export type RedisRestSettings = z.infer<typeof settingsSchema>;

const { port, redisUrl, token } = settingsSchema.parse(JSON.parse(process.argv[2] ?? ''));
const app = createApp({ token, redisUrl });

const server = createServer(async (incoming, outgoing) => {
  const headers = new Headers(Object.entries(incoming.headers).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])));
  const body = incoming.method === 'GET' ? null : await buffer(incoming);
  const answer = await app.fetch(new Request(`http://127.0.0.1:${port}${incoming.url}`, { method: incoming.method ?? 'GET', headers, body }));
  outgoing.writeHead(answer.status, Object.fromEntries(answer.headers));
  outgoing.end(Buffer.from(await answer.arrayBuffer()));
});
server.listen(port, '127.0.0.1');
process.once('SIGTERM', () => process.exit(0));
