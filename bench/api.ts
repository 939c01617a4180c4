import { loadavg } from 'node:os';
import { fillArchive } from './archive.ts';
import { loadInThread } from './load/thread.ts';
import { perSecond, type LoadResult, type LoadSpec } from './load/run.ts';
import { processTime } from './process-time.ts';
import { bar, type BenchResult, exact, roundedAll } from './report.ts';
import { type BenchOptions, type BenchStack, call, type Pool, withStack } from './stack.ts';
import { median, percentile } from './statistics.ts';

/**
 * The routes that people wait for, with a million messages behind them: bootstrap, a page of history, a send, a search. Beside them, by the same loader and in turns, a
 * no-op that is a route of the same app, and a route that asks Postgres for nothing: the least that one can cost which asks it for something. Twice: by few clients, as it
 * is most of the time, and by as many as it takes until the no-op keeps the Worker's one thread busy and answers no more for further ones, which is half of a machine of two
 * cores. Figures are medians of the rounds.
 */
const MESSAGES = 1_000_000;
const CHANNELS = 50;
const USERS = 16;
const FEW = 4;
const MOST_CLIENTS = 256;
/** Twice the clients that answer so much more are not too many yet. */
const GAIN = 1.1;
const ROUNDS = 3;
const SECONDS = 4;
const PROBE_SECONDS = 2;
const PAGE = 50;

const ROUTES = ['bootstrap', 'history', 'send', 'search'] as const;
const SIDES = ['noop', 'select', ...ROUTES] as const;
type Side = (typeof SIDES)[number];
type Paths = Readonly<Record<Side, readonly string[]>>;

interface Round {
  readonly side: Side;
  readonly clients: number;
  readonly result: LoadResult;
}

export function benchApi(options: BenchOptions): Promise<BenchResult> {
  return withStack({ ...options, users: USERS, transport: 'none', pooler: true }, async (stack) => {
    const paths = pathsOf(stack, await createArchive(stack, options.log));
    await wakeRooms(stack, paths);
    for (const side of SIDES) await load(stack, paths, side, 'warm', FEW, PROBE_SECONDS);
    const many = await saturation(stack, paths, options.log);
    const rounds: Round[] = [];
    for (let n = 0; n < ROUNDS; n++) {
      for (const clients of [FEW, many.clients]) {
        for (const side of SIDES) {
          const result = await load(stack, paths, side, `round${n}-${clients}`, clients, SECONDS);
          options.log(`round ${n + 1}, ${clients} clients, ${side}: ${Math.round(perSecond(result))}/s, p95 ${percentile(result.latencyMs, 0.95).toFixed(1)} ms`);
          rounds.push({ side, clients, result });
        }
      }
    }
    return summarise(rounds, many, stack.pool);
  });
}

async function createArchive(stack: BenchStack, log: (line: string) => void): Promise<string[]> {
  const channelIds: string[] = [];
  for (let n = 0; n < CHANNELS; n++) channelIds.push(await stack.createChannel(`bench-api-${n}`));
  await fillArchive(stack.sql, { channelIds, authorIds: stack.userIds, texts: stack.texts, messages: MESSAGES }, (done) => {
    if (done % 250_000 === 0) log(`${done} messages of the archive`);
  });
  return channelIds;
}

/** Every fourth page of history is the newest, as most are; the others are somewhere. Searches are for words that people use, two in three for one of them. */
function pathsOf({ texts }: BenchStack, channelIds: readonly string[]): Paths {
  const messages = channelIds.map((id) => `/v1/channels/${id}/messages`);
  const words = [...new Set(texts.flatMap((text) => text.toLowerCase().match(/\b[a-z]{4,12}\b/g) ?? []))];
  const queries = words.map((word, index) => (index % 3 === 0 ? `${word}+${words[(index + 1) % words.length]}` : word));
  const places = messages.map((path, index) => `${path}?limit=${PAGE}${index % 4 === 0 ? '' : `&around=${1 + ((index * 7_919) % Math.floor(MESSAGES / CHANNELS))}`}`);
  return { noop: ['/bench/noop'], select: ['/bench/select'], bootstrap: ['/v1/bootstrap'], history: places, send: messages, search: queries.map((q) => `/v1/search/messages?q=${q}`) };
}

/** Each reads its channel from Postgres, once. */
async function wakeRooms({ port, tokens }: BenchStack, { send }: Paths): Promise<void> {
  for (const path of send) await call(port, 'POST', path, tokens[0], { client_msg_id: 'wake', text: 'good morning' });
}

async function load(stack: BenchStack, paths: Paths, side: Side, idPrefix: string, clients: number, seconds: number): Promise<LoadResult> {
  const { port, tokens, texts } = stack;
  const over: LoadSpec['over'] = side === 'noop' || side === 'send' ? 'http' : 'get';
  const result = await loadInThread({ over, port, tokens, texts, channelId: '', paths: paths[side], clients, seconds, idPrefix });
  if (result.latencyMs.length === 0) throw new Error(`${side}: nothing was answered (${JSON.stringify(result.refused)})`);
  return result;
}

/** How busy the Worker was meanwhile, in cores. */
interface Saturation {
  readonly clients: number;
  readonly workerCores: number;
}

async function saturation(stack: BenchStack, paths: Paths, log: (line: string) => void): Promise<Saturation> {
  let best = { clients: FEW, workerCores: Number.NaN, rate: 0 };
  for (let clients = FEW; clients <= MOST_CLIENTS; clients *= 2) {
    const { worker } = stack.describe().pids;
    const [cpuBefore, startedAt] = [processTime(worker), performance.now()];
    const rate = perSecond(await load(stack, paths, 'noop', `probe${clients}`, clients, PROBE_SECONDS));
    const workerCores = (processTime(worker) - cpuBefore) / (performance.now() - startedAt);
    log(`${clients} clients, noop: ${Math.round(rate)}/s, the Worker takes ${workerCores.toFixed(2)} cores`);
    if (rate < best.rate * GAIN) break;
    best = { clients, workerCores, rate };
  }
  return best;
}

function summarise(rounds: readonly Round[], many: Saturation, pool: Pool): BenchResult {
  const of = (side: Side, clients: number): LoadResult[] => rounds.filter((round) => round.side === side && round.clients === clients).map(({ result }) => result);
  const p = (share: number, side: Side, clients: number): number => median(of(side, clients).map(({ latencyMs }) => percentile(latencyMs, share)));
  const loads = [['few', FEW], ['many', many.clients]] as const;
  const figures = loads.flatMap(([name, clients]) =>
    SIDES.flatMap((side) => [
      [`${side}_${name}_per_s`, median(of(side, clients).map(perSecond))] as const,
      ...[0.5, 0.95, 0.99].map((share) => [`${side}_${name}_p${share * 100}_ms`, p(share, side, clients)] as const),
    ]),
  );
  const ratios = loads.flatMap(([name, clients]) => ROUTES.map((side) => [`${side}_to_noop_${name}_p95`, p(0.95, side, clients) / p(0.95, 'noop', clients)] as const));
  const least = loads.map(([name, clients]) => [`select_to_noop_${name}_p95`, p(0.95, 'select', clients) / p(0.95, 'noop', clients)] as const);
  const refused = rounds.reduce((sum, { result }) => sum + Object.values(result.refused).reduce((a, b) => a + b, 0), 0);
  return {
    bench: 'api',
    figures: roundedAll({ messages: MESSAGES, clients_few: FEW, clients_many: many.clients, noop_many_worker_cores: many.workerCores, pooled: pool === 'none' ? 0 : 1, pool_keeps_statements: pool === 'by_transaction' ? 1 : 0, load_1_minute: loadavg()[0] ?? Number.NaN, ...Object.fromEntries(figures) }),
    ratios: roundedAll(Object.fromEntries([...least, ...ratios])),
    bars: [
      ...ratios.map(([name, value]) => bar(name, value, { at_most: 10 })),
      ...ROUTES.map((side) => bar(`${side}_many_p95_ms`, p(0.95, side, many.clients), { at_most: 500 })),
      exact('refused', refused, 0),
    ],
  };
}
