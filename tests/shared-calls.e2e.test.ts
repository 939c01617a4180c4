import { sql } from 'drizzle-orm';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, type ClientRequest, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { insertToken } from '../cli/token.ts';
import { type Api, createApi } from '../client/http.ts';
import { seededRandom } from '../client/testing/random.ts';
import { connect, type Connection } from '../db/client.ts';
import { signIn } from '../db/queries/users.ts';
import { type Stack, startStack } from '../dev/stack.ts';
import { commandResultSchema } from '../protocol/frames.ts';
import { SESSION_SCOPES } from '../protocol/scopes.ts';
import { type Acknowledgement, type Attempt, check } from './support/checker.ts';
import { observeStores } from './support/observe.ts';
import { problemOf, type RawRequest, type RawResponse } from './support/raw-http.ts';
import { seedOfRun } from './support/seed.ts';

/**
 * Requests of an isolate wait for each other: for a call to their room that one of them makes, and for one look-up of the identity they have in common.
 * Here they do so by the thousand while their clients hang up, which ends a request with its promises and timers at any point.
 */
const SENDERS = 60;
const SEND_MS = 4_000;
const LONGEST_SEND_MS = 2_000;
/** How long clients rest between two messages, so that requests wait for calls rather than to be read, and how workerd is halted. In milliseconds. */
const REST_MS = 30;
const HALT_EVERY_MS = 100;
const HALT_MS = 25;
const TOKENS = 16;
const ASKERS = 96;
/** Time for the first look-up of each token and for two more, because an identity is taken for 5 s. */
const ASK_MS = 11_200;
const LOOKS = 3;
/** How long at a time nobody can look. */
const LOCK_MS = 250;
/** Past this a request stops waiting and takes the identity it knew: nobody should have to. */
const PATIENCE_MS = 1_500;
const GIVE_UP_MS = 10_000;

/** The Worker with no limits of rates: the local emulation writes each count to SQLite, which takes longer than a send and so keeps sends apart. */
const ENTRY = join(import.meta.dirname, '..', 'bench', 'peers', 'app.worker.ts');

const seed = seedOfRun();
const random = seededRandom(seed);

interface User {
  readonly id: string;
  readonly token: string;
  readonly api: Api;
}

let dataDir: string;
let stack: Stack;
let connection: Connection;
let isKept = false;

beforeAll(async () => {
  console.info(`seed ${seed}`);
  dataDir = mkdtempSync(join(tmpdir(), 'colink-shared-calls-'));
  // Postgres refuses root, and its stand-in has to enter.
  chmodSync(dataDir, 0o755);
  stack = await startStack({ dataDir, transport: 'embedded', redis: false, clamd: false, page: false, entry: ENTRY });
  connection = connect(stack.describe().postgres_url, { max: 4, applicationName: 'colink-tests' });
});
afterEach(({ task }) => {
  if (task.result?.state !== 'fail') return;
  isKept = true;
  console.error(`the stack's data and logs stay in ${dataDir}`);
});
afterAll(async () => {
  await connection?.close(1);
  await stack?.stop();
  if (!isKept) rmSync(dataDir, { recursive: true, force: true, maxRetries: 3 });
});

async function newUser(handle: string): Promise<User> {
  const now = new Date();
  const signedIn = await connection.db.transaction((tx) => signIn(tx, { issuer: 'tests', subject: handle, handles: [handle], display_name: handle }, now));
  if ('problem' in signedIn) throw new Error(`${handle}: ${signedIn.problem.code}`);
  const token = await insertToken(connection.db, { user: handle, scopes: [...SESSION_SCOPES], days: 1, name: 'tests' }, now);
  return { id: signedIn.ok.user.id, token, api: createApi({ baseUrl: stack.describe().url, token }) };
}

async function newUsers(name: string, count: number): Promise<[User, ...User[]]> {
  const [first, ...others] = await Promise.all(Array.from({ length: count }, (_, index) => newUser(`${name}${index}`)));
  if (!first) throw new Error('nobody was asked for');
  return [first, ...others];
}

/** What workerd says when it gives up a request that was cut off while it waited for what another request brings (1.20261102). */
const GIVEN_UP = /A promise was resolved or rejected from a different request context .* the creating request has already been completed or canceled/;
/** The traces of those. */
const EXPECTED = /^log {5}at |^$/;

/** What the Worker has logged beyond its first `from` characters: how many waiting requests were given up, and whatever is amiss. */
function logged(from: number): { givenUp: number; amiss: string[] } {
  const lines = workerLog().slice(from).split('\n');
  return { givenUp: lines.filter((line) => GIVEN_UP.test(line)).length, amiss: lines.filter((line) => !GIVEN_UP.test(line) && !EXPECTED.test(line)) };
}

const workerLog = (): string => readFileSync(join(dataDir, 'logs', 'worker.log'), 'utf8');

/** What all clients of a load saw. */
class Sights {
  answers = 0;
  cuts = 0;
  /** The longest wait for an answer, in milliseconds. */
  slowest = 0;
  /** Answers that came so late that they waited for a lock. */
  late = 0;
  /** Connections that ended by themselves, and requests without an answer after 10 s. */
  readonly faults: string[] = [];

  answered(ms: number): void {
    this.answers += 1;
    this.slowest = Math.max(this.slowest, ms);
    if (ms > LOCK_MS / 4) this.late += 1;
  }
}

/**
 * One keep-alive connection with one request at a time. A third of the clients reset it in every other request, at any moment of the time that the last
 * answer took, and open another.
 */
class Client {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #port = new URL(stack.describe().url).port;
  readonly #sights: Sights;
  readonly #cuts: boolean;
  #lastMs = 20;

  constructor(number: number, sights: Sights) {
    this.#cuts = number % 3 === 0;
    this.#sights = sights;
  }

  /** The answer; `cut` where the connection was reset before it came; `fault` where it went wrong by itself. */
  async ask({ method, path, headers, body }: RawRequest): Promise<RawResponse | 'cut' | 'fault'> {
    const begin = performance.now();
    const sent = request({ host: '127.0.0.1', port: this.#port, method, path, headers: { ...headers }, agent: this.#agent, timeout: GIVE_UP_MS });
    const cut = cutLater(sent, this.#cuts && random() < 0.5 ? random() * this.#lastMs : null);
    try {
      const response = await answerTo(sent, body);
      this.#lastMs = performance.now() - begin;
      this.#sights.answered(this.#lastMs);
      return response;
    } catch (error) {
      if (cut.isDone) this.#sights.cuts += 1;
      else this.#sights.faults.push(`${method} ${path}: ${String(error)} after ${Math.round(performance.now() - begin)} ms`);
      return cut.isDone ? 'cut' : 'fault';
    }
  }

  close(): void {
    this.#agent.destroy();
  }
}

function answerTo(sent: ClientRequest, body: RawRequest['body']): Promise<RawResponse> {
  return new Promise((resolve, reject) => {
    sent.on('timeout', () => sent.destroy(new Error('no answer')));
    sent.on('error', reject);
    sent.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
      response.on('error', reject);
    });
    sent.end(body);
  });
}

/** A reset, because workerd takes no notice of a mere end of the connection until it writes. */
function cutLater(sent: ClientRequest, afterMs: number | null): { isDone: boolean } {
  const cut = { isDone: false };
  if (afterMs === null) return cut;
  sent.once('finish', () => {
    const timer = setTimeout(() => {
      cut.isDone = true;
      sent.socket?.resetAndDestroy();
    }, afterMs);
    sent.once('response', (response) => response.once('end', () => clearTimeout(timer)));
  });
  return cut;
}

describe('requests that share a call to their room', () => {
  const sights = new Sights();
  const attempts: Attempt[] = [];
  const acknowledged: Acknowledgement[] = [];
  let replayed = 0;
  let unavailable = 0;

  /** Says one thing after the other, each until it is acknowledged. */
  async function sendUntil(deadline: number, channelId: string, { id: author_id, token }: User, number: number): Promise<void> {
    const client = new Client(number, sights);
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    for (let n = 0; performance.now() < deadline && sights.faults.length === 0; n += 1) {
      const message = { client_msg_id: `${number}-${n}`, text: `message ${n} of ${number}` };
      await sleep(random() * REST_MS);
      attempts.push({ author_id, ...message });
      await send(client, { method: 'POST', path: `/v1/channels/${channelId}/messages`, headers, body: JSON.stringify(message) }, author_id);
    }
    client.close();
  }

  /** Halts workerd for a moment now and then, as a busy machine does: ends of connections and timers then come to it together. */
  async function halt(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(HALT_EVERY_MS);
      const pid = stack.describe().pids['worker'];
      if (pid === undefined) throw new Error('the stack runs no workerd');
      process.kill(pid, 'SIGSTOP');
      await sleep(HALT_MS);
      process.kill(pid, 'SIGCONT');
    }
  }

  async function send(client: Client, message: RawRequest, author_id: string): Promise<void> {
    for (;;) {
      const answer = await client.ask(message);
      if (answer === 'fault') return;
      if (answer !== 'cut' && answer.status === 201) return acknowledge(answer, author_id);
      if (answer !== 'cut') await refused(answer);
    }
  }

  function acknowledge({ text, headers }: RawResponse, author_id: string): void {
    const { message_id, seq } = commandResultSchema.parse(JSON.parse(text));
    acknowledged.push({ type: 'message.created', author_id, message_id, seq });
    if (headers['idempotency-replayed'] !== undefined) replayed += 1;
  }

  async function refused(answer: RawResponse): Promise<void> {
    expect(problemOf(answer).code).toBe('unavailable');
    unavailable += 1;
    await sleep(100);
  }

  async function newChannel([owner, ...others]: readonly [User, ...User[]]): Promise<string> {
    const { id } = await owner.api.createChannel({ name: 'shared-calls', kind: 'public', topic: '' });
    // One after another: all at once they may be told to come back later, which is no matter of this test.
    for (const { api } of others) await api.join(id);
    return id;
  }

  /** By author, in the order given. */
  const namesBy = (messages: readonly Omit<Attempt, 'text'>[]) =>
    Object.fromEntries([...Map.groupBy(messages, ({ author_id }) => author_id)].map(([author, own]) => [author, own.map(({ client_msg_id }) => client_msg_id)]));

  it('are answered soon, and nothing is lost, doubled or out of order, whoever hangs up (G1, G2, G3, G6)', async () => {
    const users = await newUsers('sender', SENDERS);
    const channelId = await newChannel(users);
    const [from, stop] = [workerLog().length, new AbortController()];
    const halting = halt(stop.signal);
    const deadline = performance.now() + SEND_MS;
    await Promise.all(users.map((user, number) => sendUntil(deadline, channelId, user, number)));
    stop.abort();
    await halting;
    const { givenUp, amiss } = logged(from);
    console.info({ acknowledged: acknowledged.length, slowest: Math.round(sights.slowest), cuts: sights.cuts, replayed, unavailable, givenUp });

    expect(sights.faults).toEqual([]);
    expect(amiss).toEqual([]);
    expect(sights.slowest).toBeLessThan(LONGEST_SEND_MS);
    expect(acknowledged).toHaveLength(attempts.length);
    const head = Math.max(...acknowledged.map(({ seq }) => seq ?? 0));
    const stores = await observeStores({ api: users[0].api, db: connection.db, channelId }, head, 20_000);
    const violations = check({ attempts, acknowledged, readers: [], ...stores, topic: null, head });
    expect(violations.slice(0, 20), `${violations.length} violations`).toEqual([]);
    expect(namesBy(stores.listings.flatMap(({ messages }) => messages))).toEqual(namesBy(attempts));

    // The load was what it is meant to be. Only a request that waits for another's call is given up.
    expect(acknowledged.length).toBeGreaterThan(300);
    expect(sights.cuts).toBeGreaterThan(60);
    expect(replayed).toBeGreaterThan(15);
    expect(givenUp).toBeGreaterThan(0);
  });
});

describe('requests that share a look-up of their identity', () => {
  const sights = new Sights();
  const statuses = new Map<number, number>();

  /** Scans of credentials: one a look-up. Postgres counts those of ended sessions. */
  async function countLooks(): Promise<number> {
    const [row] = await connection.db.execute<{ looks: number }>(sql`
      SELECT (seq_scan + idx_scan)::int AS looks FROM pg_stat_user_tables WHERE relname = 'credentials'`);
    return row?.looks ?? 0;
  }

  /** Lets look-ups through only now and then. */
  async function holdUp(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await connection.db.transaction(async (tx) => {
        await tx.execute(sql`LOCK TABLE credentials IN ACCESS EXCLUSIVE MODE`);
        await sleep(LOCK_MS);
      });
    }
  }

  /** Asks for a path that nothing answers: that is authenticated like any other, and costs nothing else. */
  async function askUntil(deadline: number, token: string, number: number): Promise<void> {
    const client = new Client(number, sights);
    while (performance.now() < deadline && sights.faults.length === 0) {
      const answer = await client.ask({ method: 'GET', path: '/v1/nowhere', headers: { authorization: `Bearer ${token}` } });
      if (typeof answer === 'object') statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
    }
    client.close();
  }

  it('are answered when it is back, and looked up once, whoever hangs up (G8)', async () => {
    const users = await newUsers('asker', TOKENS);
    const [from, looksBefore, stop] = [workerLog().length, await countLooks(), new AbortController()];
    const holding = holdUp(stop.signal);
    const deadline = performance.now() + ASK_MS;
    await Promise.all(Array.from({ length: ASKERS }, (_, number) => askUntil(deadline, users[number % TOKENS]?.token ?? '', number)));
    stop.abort();
    await holding;
    const { givenUp, amiss } = logged(from);
    const { faults, ...counts } = sights;
    console.info({ ...counts, statuses, givenUp });

    expect(faults).toEqual([]);
    expect(amiss).toEqual([]);
    expect([...statuses.keys()]).toEqual([404]);
    expect(counts.slowest).toBeLessThan(PATIENCE_MS);
    // And once each is noted to be in use.
    await expect.poll(async () => (await countLooks()) - looksBefore, { timeout: 5_000 }).toBe((LOOKS + 1) * TOKENS);

    // The load was what it is meant to be.
    expect(counts.cuts).toBeGreaterThan(300);
    expect(counts.late).toBeGreaterThan(ASKERS);
    expect(givenUp).toBeGreaterThan(0);
  });
});
