import { setTimeout as sleep } from 'node:timers/promises';
import { uuidv7 } from 'uuidv7';
import { openHttpClient, requestBytes, type HttpClient } from './load/http-client.ts';
import { insertFindable, prepareInserts } from './queries.ts';
import { bar, exact, roundedAll, type BenchResult } from './report.ts';
import { withStack, type BenchOptions, type BenchStack } from './stack.ts';
import { percentile } from './statistics.ts';

/**
 * Messages at a steady rate, each with a word of its own; of some of them, how long from the send until a search finds them. Beside
 * it, in turns and under the same load, the same searches for rows that one SQL statement made findable: what polling alone takes.
 */
const PER_SECOND = 200;
const SECONDS = 30;
const WARM_UP_SECONDS = 3;
/** One message of so many is looked for. Each search opens a connection to Postgres, so more of them would measure themselves. */
const SAMPLE_EVERY = 80;
const POLL_MS = 40;
const GIVE_UP_MS = 10_000;
const SENDERS = 16;

type Found = { readonly milliseconds: number } | 'never';

export function benchFreshness(options: BenchOptions): Promise<BenchResult> {
  return withStack({ ...options, users: SENDERS, transport: 'best' }, async (stack) => {
    const channelId = await stack.createChannel('bench-freshness');
    const floorId = await stack.createChannel('bench-floor');
    await prepareInserts(stack.sql);
    const senders = await Promise.all(stack.tokens.map(() => openHttpClient(stack.port)));
    try {
      await run(stack, senders, channelId, floorId, WARM_UP_SECONDS);
      options.log(`${PER_SECOND} messages/s for ${SECONDS} s, searched over ${stack.transport}`);
      return summarise(await run(stack, senders, channelId, floorId, SECONDS), stack.transport);
    } finally {
      for (const sender of senders) sender.close();
    }
  });
}

interface Samples {
  readonly sent: readonly Found[];
  readonly inserted: readonly Found[];
  readonly perSecond: number;
  readonly refused: number;
}

async function run(stack: BenchStack, senders: readonly HttpClient[], channelId: string, floorId: string, seconds: number): Promise<Samples> {
  const [sent, inserted, sends]: [Promise<Found>[], Promise<Found>[], Promise<boolean>[]] = [[], [], []];
  const startedAt = performance.now();
  for (let n = 0; n < PER_SECOND * seconds; n++) {
    await sleep(Math.max(0, startedAt + (n * 1_000) / PER_SECOND - performance.now()));
    const word = uniqueWord();
    const sentAt = performance.now();
    sends.push(send(stack, senders, n, channelId, word));
    if (n % SAMPLE_EVERY === 0) sent.push(untilFound(stack, word, sentAt));
    if (n % SAMPLE_EVERY === SAMPLE_EVERY / 2) inserted.push(insertAndFind(stack, floorId));
  }
  const answers = await Promise.all(sends);
  const perSecond = (answers.length * 1_000) / (performance.now() - startedAt);
  return { sent: await Promise.all(sent), inserted: await Promise.all(inserted), perSecond, refused: answers.filter((ok) => !ok).length };
}

const uniqueWord = (): string => `w${crypto.randomUUID().replaceAll('-', '')}`;

/** One request in flight a connection: a later one waits for its turn, as its sender would. */
const turns = new WeakMap<HttpClient, Promise<unknown>>();

function inTurn<T>(client: HttpClient, work: () => Promise<T>): Promise<T> {
  const turn = (turns.get(client) ?? Promise.resolve()).then(work, work);
  turns.set(client, turn);
  return turn;
}

async function send({ tokens, texts }: BenchStack, senders: readonly HttpClient[], n: number, channelId: string, word: string): Promise<boolean> {
  const sender = senders[n % senders.length];
  if (!sender) return false;
  const body = JSON.stringify({ client_msg_id: word, text: `${texts[n % texts.length]} ${word}` });
  const request = requestBytes('POST', `/v1/channels/${channelId}/messages`, tokens[n % tokens.length] ?? '', body);
  const { status } = await inTurn(sender, () => sender.request(request));
  return status < 300;
}

async function insertAndFind(stack: BenchStack, channelId: string): Promise<Found> {
  const word = uniqueWord();
  const startedAt = performance.now();
  await insertFindable(stack.sql, { id: uuidv7(), channel_id: channelId, author_id: stack.userIds[0], client_msg_id: word, text: word });
  return untilFound(stack, word, startedAt);
}

async function untilFound({ port, tokens }: BenchStack, word: string, startedAt: number): Promise<Found> {
  const http = await openHttpClient(port);
  try {
    while (performance.now() - startedAt < GIVE_UP_MS) {
      const { status, body } = await http.request(requestBytes('GET', `/v1/search/messages?q=${word}`, tokens[0]));
      if (status !== 200) throw new Error(`a search is answered ${status}: ${body.toString()}`);
      const page: { data: unknown[] } = JSON.parse(body.toString());
      if (page.data.length > 0) return { milliseconds: performance.now() - startedAt };
      await sleep(POLL_MS);
    }
    return 'never';
  } finally {
    http.close();
  }
}

function summarise({ sent, inserted, perSecond, refused }: Samples, transport: BenchStack['transport']): BenchResult {
  const times = (found: readonly Found[]): number[] => found.filter((each) => each !== 'never').map(({ milliseconds }) => milliseconds);
  const [sentMs, insertedMs] = [times(sent), times(inserted)];
  const p95 = percentile(sentMs, 0.95);
  return {
    bench: 'freshness',
    figures: roundedAll({
      messages_per_s: perSecond,
      send_to_findable_p50_ms: percentile(sentMs, 0.5),
      send_to_findable_p95_ms: p95,
      insert_to_findable_p50_ms: percentile(insertedMs, 0.5),
      insert_to_findable_p95_ms: percentile(insertedMs, 0.95),
      samples: sent.length,
      over_kafka: transport === 'kafka' ? 1 : 0,
    }),
    ratios: roundedAll({ send_to_insert_p50: percentile(sentMs, 0.5) / percentile(insertedMs, 0.5), send_to_insert_p95: p95 / percentile(insertedMs, 0.95) }),
    bars: [
      bar('send_to_findable_p95_ms', p95, { at_most: 1_000 }),
      bar('messages_per_s', perSecond, { at_least: PER_SECOND * 0.95 }),
      exact('found', sentMs.length, sent.length),
      exact('refused', refused, 0),
    ],
  };
}
