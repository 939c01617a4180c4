import { openHttpClient, requestBytes, type HttpClient } from './http-client.ts';
import { openRoomSocket, type RoomSocket } from './room-socket.ts';

/** One round: so many clients, each with one message or request in flight, for so long. */
export interface LoadSpec {
  /** `socket`: `send` commands; `http`: messages by POST to `paths`, `get`: no messages but GET of `paths`. */
  readonly over: 'http' | 'socket' | 'get';
  readonly port: number;
  /** Each client takes them one after the other, beginning at a place of its own. */
  readonly paths: readonly string[];
  readonly channelId: string;
  readonly clients: number;
  readonly seconds: number;
  /** Clients share them evenly. */
  readonly tokens: readonly string[];
  /** What is said, over and over. */
  readonly texts: readonly string[];
  /** Begins every `client_msg_id` of the round. */
  readonly idPrefix: string;
}

/** Times are milliseconds since the epoch, of one clock for all threads. Entry i of the arrays is one acknowledged message, or answered request, which has no `seq` (NaN). */
export interface LoadResult {
  readonly startedAt: number;
  readonly lastAckAt: number;
  readonly ackedAt: Float64Array;
  readonly seqs: Float64Array;
  readonly latencyMs: Float64Array;
  /** Answers that were no acknowledgement, by status or code. */
  readonly refused: Readonly<Record<string, number>>;
}

/** Acknowledged per second, from the first send to the last acknowledgement. */
export const perSecond = (result: LoadResult): number => (result.seqs.length * 1_000) / (result.lastAckAt - result.startedAt);

const clock = (): number => performance.timeOrigin + performance.now();
const BACKOFF_MS = 20;

interface Client {
  /** The status (or `ok` or a code) and the text of the answer. */
  send(clientMsgId: string, text: string, path: string): Promise<{ verdict: string; answer: string }>;
  close(): void;
}

export async function runLoad(spec: LoadSpec): Promise<LoadResult> {
  const open = spec.over === 'socket' ? openCommander : openRequester;
  const clients = await Promise.all(Array.from({ length: spec.clients }, (_, index) => open(spec, spec.tokens[index % spec.tokens.length] ?? '')));
  try {
    return await drive(spec, clients);
  } finally {
    for (const client of clients) client.close();
  }
}

async function drive(spec: LoadSpec, clients: readonly Client[]): Promise<LoadResult> {
  const [ackedAt, seqs, latencyMs]: [number[], number[], number[]] = [[], [], []];
  const refused: Record<string, number> = {};
  const startedAt = clock();
  const until = startedAt + spec.seconds * 1_000;

  async function talk(client: Client, index: number): Promise<void> {
    for (let n = 0; clock() < until; n++) {
      const sentAt = clock();
      const turn = index * 7 + n;
      const path = spec.paths[turn % spec.paths.length] ?? '';
      const { verdict, answer } = await client.send(`${spec.idPrefix}-${index}-${n}`, spec.texts[turn % spec.texts.length] ?? '', path);
      if (verdict === 'ok') {
        ackedAt.push(clock());
        latencyMs.push(clock() - sentAt);
        seqs.push(Number(/"seq":(\d+)/.exec(answer)?.[1]));
      } else {
        refused[verdict] = (refused[verdict] ?? 0) + 1;
        await new Promise((resolve) => setTimeout(resolve, BACKOFF_MS));
      }
    }
  }
  await Promise.all(clients.map(talk));
  const lastAckAt = ackedAt.reduce((last, at) => Math.max(last, at), startedAt);
  return { startedAt, lastAckAt, refused, ackedAt: Float64Array.from(ackedAt), seqs: Float64Array.from(seqs), latencyMs: Float64Array.from(latencyMs) };
}

async function openRequester(spec: LoadSpec, token: string): Promise<Client> {
  const http: HttpClient = await openHttpClient(spec.port);
  return {
    close: http.close,
    async send(client_msg_id, text, path) {
      const request = spec.over === 'get' ? requestBytes('GET', path, token) : requestBytes('POST', path, token, JSON.stringify({ client_msg_id, text }));
      const { status, body } = await http.request(request);
      return { verdict: status < 300 ? 'ok' : String(status), answer: body.toString('latin1') };
    },
  };
}

async function openCommander(spec: LoadSpec, token: string): Promise<Client> {
  const socket: RoomSocket = await openRoomSocket({ port: spec.port, channelId: spec.channelId, token });
  return {
    close: socket.close,
    async send(client_msg_id, text) {
      const answer = await socket.command(client_msg_id, JSON.stringify({ type: 'send', id: client_msg_id, client_msg_id, text }));
      const code = /"code":"([^"]*)"/.exec(answer)?.[1];
      return { verdict: code ?? 'ok', answer };
    },
  };
}
