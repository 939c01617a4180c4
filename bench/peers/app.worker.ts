import { sql } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import { connect } from '../../db/client.ts';
import { COMMAND_GROUP } from '../../durable-objects/fanout-node/room-commands.ts';
import { SOCKET_RATE } from '../../durable-objects/sockets/socket-commands.ts';
import { SOCKET_LIMITS } from '../../durable-objects/sockets/socket-limits.ts';
import { sendBodySchema } from '../../protocol/api.ts';
import type { CommandResult } from '../../protocol/frames.ts';
import { createApp } from '../../workers/app.ts';
import { readBody } from '../../workers/json.ts';
import { withPostgres } from '../../workers/postgres.ts';
import { createServices } from '../../workers/services.ts';
import { insertInOrder, insertStatement, insertTransaction } from '../queries.ts';
import { installPaceSwitch, setPace } from './room-switches.ts';

export { MetricsHub, UserInbox } from '../../workers/index.ts';
export { BenchNode as FanoutNode, BenchRoom as ChannelRoom } from './bench-room.worker.ts';

/**
 * The Worker as it is, with routes beside it that the benches compare a send with. All parse the same body by the same schema and
 * answer JSON of the same size; none authenticates, limits or authorises. `noop` is a route of the app, `noop-handler` stands before
 * the app and has none of its middleware; `select` asks Postgres for nothing, on a connection of its own, as each request has one. `insert-in-order` gives the order and the outbox row that a send has. `pace`, `room` and `node` are for the benches
 * of fan-out (`room-switches.ts`, `bench-room.worker.ts`); `limits/<room>/<node>` says how many sockets each takes that opens from then on,
 * and `command-group/<most>` how many commands a node sends in one call.
 */
const NOOP_HANDLER = '/bench/noop-handler';
const INSERT = /^\/bench\/(insert-statement|insert-transaction|insert-in-order)\/([0-9a-f-]{36})$/;
const ROOM = /^\/bench\/room\/([0-9a-f-]{36})\//;
const NODE = /^\/bench\/node\/([0-9a-f-]{36})\/(\d+)\//;
const LIMITS = /^\/bench\/limits\/(\d+)\/(\d+)$/;
const COMMAND_GROUPS = /^\/bench\/command-group\/(\d+)$/;
const PACE = /^\/bench\/pace\/(\w+)$/;
const INSERTS: Record<string, typeof insertTransaction> = { 'insert-statement': insertStatement, 'insert-transaction': insertTransaction, 'insert-in-order': insertInOrder };

const answer = (message_id: string, seq: number): Response => {
  const result: CommandResult = { message_id, seq, pos: seq, thread_id: null, tpos: null, at: new Date().toISOString(), changed: true };
  return Response.json(result, { status: 201 });
};

async function noop(request: Request): Promise<Response> {
  const body = sendBodySchema.safeParse(await request.json());
  return body.success ? answer(uuidv7(), 1) : new Response(null, { status: 422 });
}

/** A client a request, as Workers must: a connection may not be shared between requests. Closed behind the answer. */
async function insert(request: Request, env: Env, context: ExecutionContext, write: typeof insertTransaction, channelId: string): Promise<Response> {
  const body = sendBodySchema.safeParse(await request.json());
  if (!body.success) return new Response(null, { status: 422 });
  const { client_msg_id = uuidv7(), text } = body.data;
  const connection = connect(env.POSTGRES.connectionString, { max: 1, applicationName: 'bench-insert' });
  try {
    const id = uuidv7();
    return answer(id, await write(connection.sql, { id, channel_id: channelId, author_id: channelId, client_msg_id, text }));
  } finally {
    context.waitUntil(connection.close());
  }
}

/**
 * Counts in memory, as the platform's binding does, and refuses nothing. The local emulation writes each count to SQLite, which costs
 * more than the whole send (0.5 ms of 0.9 ms, Miniflare 5.20261102 on two cores, measured 2026-11-23).
 */
const counts = new Map<string, number>();
const unlimited: RateLimit = {
  async limit({ key }) {
    counts.set(key, (counts.get(key) ?? 0) + 1);
    return { success: true };
  },
};
let bindings: Env | null = null;

function limitSockets(room: number, node: number): Response {
  Object.assign(SOCKET_LIMITS, { room, node });
  return new Response(null, { status: 204 });
}

function groupCommands(most: number): Response {
  Object.assign(COMMAND_GROUP, { most });
  return new Response(null, { status: 204 });
}

/** Sixty-four clients are to load the room as hundreds would. */
Object.assign(SOCKET_RATE, { perSecond: 1_000_000, burst: 1_000_000 });
installPaceSwitch();

const app = createApp(createServices());
app.post('/bench/noop', async (c) => {
  await readBody(c, sendBodySchema);
  return answer(uuidv7(), 1);
});
app.get('/bench/select', async (c) => c.json(await withPostgres(c, (db) => db.execute<{ one: number }>(sql`SELECT 1 AS one`)), 200));

export default {
  fetch(request, env, context) {
    const { pathname } = new URL(request.url);
    if (pathname === NOOP_HANDLER) return noop(request);
    const [, how = '', channelId = ''] = INSERT.exec(pathname) ?? [];
    const write = INSERTS[how];
    if (write !== undefined) return insert(request, env, context, write, channelId);
    const room = ROOM.exec(pathname)?.[1];
    if (room !== undefined) return env.ROOMS.getByName(room).fetch(`https://bench.invalid${pathname}`);
    const [, channel, node] = NODE.exec(pathname) ?? [];
    if (channel !== undefined) return env.NODES.getByName(`${channel}:${node}`).fetch(`https://bench.invalid${pathname}`);
    const limits = LIMITS.exec(pathname);
    if (limits !== null) return limitSockets(Number(limits[1]), Number(limits[2]));
    const most = COMMAND_GROUPS.exec(pathname)?.[1];
    if (most !== undefined) return groupCommands(Number(most));
    const pace = PACE.exec(pathname)?.[1];
    if (pace !== undefined) return new Response(null, { status: setPace(pace) ? 204 : 404 });
    bindings ??= { ...env, LIMIT_SEND: unlimited, LIMIT_READ: unlimited };
    return app.fetch(request, bindings, context);
  },
} satisfies ExportedHandler<Env>;
