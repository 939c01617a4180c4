import { uuidv7 } from 'uuidv7';
import { connect } from '../../db/client.ts';
import { SOCKET_RATE } from '../../durable-objects/channel-room/socket-commands.ts';
import { sendBodySchema } from '../../protocol/api.ts';
import type { CommandResult } from '../../protocol/frames.ts';
import app from '../../workers/index.ts';
import { insertAlone } from '../queries.ts';

export { ChannelRoom, MetricsHub, UserInbox } from '../../workers/index.ts';

/**
 * The Worker as it is, with two routes beside it that the benches compare a send with. Both parse the same body by the same schema and
 * answer JSON of the same size; neither authenticates, limits or authorises.
 */
const NOOP = '/bench/noop';
const INSERT = /^\/bench\/insert\/([0-9a-f-]{36})$/;

const answer = (message_id: string, seq: number): Response => {
  const result: CommandResult = { message_id, seq, pos: seq, thread_id: null, tpos: null, at: new Date().toISOString(), changed: true };
  return Response.json(result, { status: 201 });
};

async function noop(request: Request): Promise<Response> {
  const body = sendBodySchema.safeParse(await request.json());
  return body.success ? answer(uuidv7(), 1) : new Response(null, { status: 422 });
}

/** A client a request, as Workers must: a connection may not be shared between requests. Closed behind the answer. */
async function insert(request: Request, env: Env, context: ExecutionContext, channelId: string): Promise<Response> {
  const body = sendBodySchema.safeParse(await request.json());
  if (!body.success) return new Response(null, { status: 422 });
  const { client_msg_id = uuidv7(), text } = body.data;
  const connection = connect(env.POSTGRES.connectionString, { max: 1, applicationName: 'bench-insert' });
  try {
    const id = uuidv7();
    return answer(id, await insertAlone(connection.sql, { id, channel_id: channelId, author_id: channelId, client_msg_id, text }));
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

/** Sixty-four clients are to load the room as hundreds would. */
Object.assign(SOCKET_RATE, { perSecond: 1_000_000, burst: 1_000_000 });

export default {
  fetch(request, env, context) {
    const { pathname } = new URL(request.url);
    if (pathname === NOOP) return noop(request);
    const channelId = INSERT.exec(pathname)?.[1];
    if (channelId !== undefined) return insert(request, env, context, channelId);
    bindings ??= { ...env, LIMIT_SEND: unlimited, LIMIT_READ: unlimited };
    return app.fetch(request, bindings, context);
  },
} satisfies ExportedHandler<Env>;
