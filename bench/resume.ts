import { openHttpClient, requestBytes } from './load/http-client.ts';
import { openRoomSocket, type Cursor } from './load/room-socket.ts';
import { bar, exact, roundedAll, type BenchResult } from './report.ts';
import { withStack, type BenchOptions, type BenchStack } from './stack.ts';
import { median } from './statistics.ts';

/**
 * A client that missed 10,000 events comes back with its cursor: how long until it has the last of them, in order and once. Twice:
 * while the room's tail holds them, and when only `event_log` does. Beside it, reading the same messages as pages of history.
 */
const MISSED = 10_000;
/** More than a tail keeps, so that what came before is in Postgres only. */
const BURIED_UNDER = 22_000;
const ROUNDS = 3;
const BATCH = 200;
const PAGE = 100;

export function benchResume(options: BenchOptions): Promise<BenchResult> {
  return withStack({ ...options, users: 1, transport: 'none' }, async (stack) => {
    const channelId = await stack.createChannel('bench-resume');
    const cursor = await readCursor(stack, channelId);
    await postBatches(stack, channelId, MISSED);
    await stack.drained(channelId, cursor.seq + MISSED);
    options.log(`${MISSED} events sent; resuming from the tail`);
    const tail = await measure(() => resume(stack, channelId, cursor));
    const pages = await measure(() => readPages(stack, channelId));
    await postBatches(stack, channelId, BURIED_UNDER);
    await stack.drained(channelId, cursor.seq + MISSED + BURIED_UNDER);
    options.log(`${BURIED_UNDER} more sent; resuming from event_log`);
    const log = await measure(() => resume(stack, channelId, cursor));
    return summarise({ tail, pages, log });
  });
}

/** One reading: how long it took, and how many of the missed it brought, each once and in order. */
interface Reading {
  readonly milliseconds: number;
  readonly received: number;
}

/** The first is for warming up. */
async function measure(read: () => Promise<Reading>): Promise<Reading> {
  await read();
  const readings: Reading[] = [];
  for (let n = 0; n < ROUNDS; n++) readings.push(await read());
  return {
    milliseconds: median(readings.map(({ milliseconds }) => milliseconds)),
    received: Math.min(...readings.map(({ received }) => received)),
  };
}

async function readCursor({ port, tokens }: BenchStack, channelId: string): Promise<Cursor> {
  const socket = await openRoomSocket({ port, channelId, token: tokens[0] });
  socket.close();
  return socket.welcome;
}

async function resume({ port, tokens }: BenchStack, channelId: string, since: Cursor): Promise<Reading> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const frames: string[] = [];
  const startedAt = performance.now();
  const onEvents = (_: number, to: number, frame: string): void => {
    frames.push(frame);
    if (to >= since.seq + MISSED) resolve();
  };
  const socket = await openRoomSocket({ port, channelId, token: tokens[0], since, onEvents });
  if (!socket.welcome.recovered) throw new Error('the room did not take the cursor');
  await Promise.race([promise, socket.ended]);
  const milliseconds = performance.now() - startedAt;
  socket.close();
  return { milliseconds, received: inOrder(frames.flatMap(seqsOf), since.seq) };
}

const seqsOf = (frame: string): number[] => (JSON.parse(frame) as { events: { seq: number }[] }).events.map(({ seq }) => seq);

/** How many of the missed events come one after the other behind `after`. */
function inOrder(seqs: readonly number[], after: number): number {
  const broken = seqs.findIndex((seq, index) => seq !== after + 1 + index);
  return Math.min(MISSED, broken === -1 ? seqs.length : broken);
}

/** From the newest message back, page after page. */
async function readPages({ port, tokens }: BenchStack, channelId: string): Promise<Reading> {
  const http = await openHttpClient(port);
  const startedAt = performance.now();
  let [received, query] = [0, `limit=${PAGE}`];
  while (received < MISSED) {
    const { status, body } = await http.request(requestBytes('GET', `/v1/channels/${channelId}/messages?${query}`, tokens[0]));
    if (status !== 200) throw new Error(`history answers ${status}: ${body.toString()}`);
    const page: { data: unknown[]; before_cursor: string | null } = JSON.parse(body.toString());
    received += page.data.length;
    if (page.before_cursor === null) break;
    query = `before=${encodeURIComponent(page.before_cursor)}&limit=${PAGE}`;
  }
  http.close();
  return { milliseconds: performance.now() - startedAt, received };
}

async function postBatches({ port, tokens, texts }: BenchStack, channelId: string, count: number): Promise<void> {
  const http = await openHttpClient(port);
  const run = crypto.randomUUID();
  for (let from = 0; from < count; from += BATCH) {
    const messages = Array.from({ length: BATCH }, (_, n) => ({ client_msg_id: `${run}-${from + n}`, text: texts[(from + n) % texts.length] }));
    const { status, body } = await http.request(requestBytes('POST', `/v1/channels/${channelId}/message-batches`, tokens[0], JSON.stringify({ messages })));
    if (status >= 300) throw new Error(`a batch is answered ${status}: ${body.toString()}`);
  }
  http.close();
}

function summarise({ tail, pages, log }: Record<'tail' | 'pages' | 'log', Reading>): BenchResult {
  return {
    bench: 'resume',
    figures: roundedAll({
      events: MISSED,
      resume_tail_ms: tail.milliseconds,
      resume_event_log_ms: log.milliseconds,
      history_pages_ms: pages.milliseconds,
    }),
    ratios: roundedAll({
      history_pages_to_resume_tail: pages.milliseconds / tail.milliseconds,
      history_pages_to_resume_event_log: pages.milliseconds / log.milliseconds,
    }),
    bars: [
      bar('resume_tail_ms', tail.milliseconds, { at_most: 1_000 }),
      bar('resume_event_log_ms', log.milliseconds, { at_most: 1_000 }),
      exact('received_tail', tail.received, MISSED),
      exact('received_event_log', log.received, MISSED),
      exact('received_pages', pages.received, MISSED),
    ],
  };
}
