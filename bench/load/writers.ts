import { setTimeout as sleep } from 'node:timers/promises';
import { openHttpClient, requestBytes, type HttpClient } from './http-client.ts';
import { clock, stamped } from './timestamps.ts';

export interface WriterSpec {
  readonly port: number;
  readonly channelIds: readonly string[];
  readonly tokens: readonly string[];
  readonly texts: readonly string[];
  /** Messages a second, of all writers together, as long as they are answered in time. */
  readonly perSecond: number;
  readonly writers: number;
  readonly idPrefix: string;
}

export interface Writers {
  /** Says no more; resolves when all that was said is acknowledged. */
  stop(): Promise<Written>;
}

/** By channel, in the order of the spec: how many messages were acknowledged, and the highest `seq`. */
export interface Written {
  readonly acknowledged: readonly number[];
  readonly lastSeqs: readonly number[];
  /** Repetitions after a failure, each with the same `client_msg_id`. */
  readonly retries: number;
}

const RETRY_MS = 100;
const GIVE_UP_MS = 60_000;

/** Writers over HTTP that repeat each message until it is acknowledged, whatever becomes of the server meanwhile. */
export function startWriters(spec: WriterSpec): Writers {
  const stopping = new AbortController();
  const tally = { acknowledged: spec.channelIds.map(() => 0), lastSeqs: spec.channelIds.map(() => 0), retries: 0 };
  const writing = Promise.all(Array.from({ length: spec.writers }, (_, index) => write(spec, index, stopping.signal, tally)));
  writing.catch(() => {});
  return {
    async stop() {
      stopping.abort();
      await writing;
      return tally;
    },
  };
}

interface Tally {
  readonly acknowledged: number[];
  readonly lastSeqs: number[];
  retries: number;
}

async function write(spec: WriterSpec, index: number, signal: AbortSignal, tally: Tally): Promise<void> {
  const connection = new Reconnecting(spec.port);
  const startedAt = clock();
  for (let n = index; !signal.aborted; n += spec.writers) {
    await sleep(Math.max(0, startedAt + (n * 1_000) / spec.perSecond - clock()), undefined, { signal }).catch(() => {});
    if (signal.aborted) break;
    const channel = n % spec.channelIds.length;
    const seq = await sendUntilAcknowledged(spec, connection, n, spec.channelIds[channel] ?? '', tally);
    tally.acknowledged[channel] = (tally.acknowledged[channel] ?? 0) + 1;
    tally.lastSeqs[channel] = Math.max(tally.lastSeqs[channel] ?? 0, seq);
  }
  connection.close();
}

async function sendUntilAcknowledged(spec: WriterSpec, connection: Reconnecting, n: number, channelId: string, tally: Tally): Promise<number> {
  const text = stamped(spec.texts[n % spec.texts.length] ?? '', clock());
  const body = JSON.stringify({ client_msg_id: `${spec.idPrefix}-${n}`, text });
  const request = requestBytes('POST', `/v1/channels/${channelId}/messages`, spec.tokens[n % spec.tokens.length] ?? '', body);
  for (const deadline = clock() + GIVE_UP_MS; ; ) {
    const answer = await connection.request(request);
    const seq = answer === null ? Number.NaN : Number(/"seq":(\d+)/.exec(answer)?.[1]);
    if (seq > 0) return seq;
    if (clock() > deadline) throw new Error(`a message was not acknowledged within ${GIVE_UP_MS / 1_000} s: ${answer}`);
    tally.retries++;
    await sleep(RETRY_MS);
  }
}

/** A connection that is opened again when it has ended. */
class Reconnecting {
  readonly #port: number;
  #http: HttpClient | null = null;

  constructor(port: number) {
    this.#port = port;
  }

  /** The body of a success; null for anything else. */
  async request(bytes: string): Promise<string | null> {
    try {
      this.#http ??= await openHttpClient(this.#port);
      const { status, body } = await this.#http.request(bytes);
      return status < 300 ? body.toString() : null;
    } catch {
      this.close();
      return null;
    }
  }

  close(): void {
    this.#http?.close();
    this.#http = null;
  }
}
