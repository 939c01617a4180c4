import { clientMsgId } from '../../cli/import/irc-file.ts';
import { pick, seededRandom } from '../../client/testing/random.ts';
import { TOKEN_SCOPES } from '../../protocol/scopes.ts';
import { recordEffects } from '../support/effects.ts';
import { startWorld, type World, type WorldUser } from '../support/world.ts';
import { killAtRandom, type Kills, type Victim } from './killer.ts';
import { type Crowd, startCrowd } from './people.ts';
import { type Deal, dealOut, postAll } from './posting.ts';
import { readHead, untilIndexed, untilSettled } from './settle.ts';
import { judge, type Judged, type Verdict, type WrittenChannel } from './verdict.ts';

export interface ReplayOptions {
  /** A log as `colink import irc` takes it. */
  readonly file: string;
  /** Of it, so many lines at most. */
  readonly lines: number;
  readonly seed: number;
  readonly channels: number;
  /** Kills at most, and milliseconds between two on average. */
  readonly kills: number;
  readonly killEvery: number;
  /** Messages a second into each channel; Infinity: as fast as rooms take them. */
  readonly rate: number;
  readonly log: (line: string) => void;
}

export interface RunReport {
  readonly seed: number;
  /** Of the file. */
  readonly messages: number;
  /** Commands of the people who chatted meanwhile. */
  readonly acknowledged: number;
  readonly repetitions: number;
  readonly kills: Kills;
  /** Milliseconds until all was posted, and from then until all had come through. */
  readonly postingMs: number;
  readonly settlingMs: number;
}

export interface ReplayReport extends RunReport {
  readonly judgingMs: number;
  readonly verdict: Verdict;
}

const FLEET_PROCESSES = 2;
const HANDLES = ['ada-r', 'ben-r', 'cleo-r'];
/** Commands of people, a second and channel. */
const CHAT_PER_SECOND = 1.5;
const WORDS = 25;
const TEXTS_PER_CHANNEL = 500;
/** The killer goes on until this share of the file is in the index, or this time after the posting is over. */
const INDEXED_SHARE = 0.9;
const KILL_ON_MS = 45_000;
const SETTLE_MS = 120_000;
const SETTLE_MS_A_MESSAGE = 3;

const VICTIMS: readonly Victim[] = [
  { kind: 'workerd', processes: ['worker'], weight: 2 },
  { kind: 'relay', processes: ['relay', 'relay_2'], weight: 2 },
  { kind: 'groups', processes: ['fleet', 'fleet_2'], weight: 2 },
  { kind: 'broker', processes: ['kafka'], weight: 1 },
  { kind: 'postgres', processes: ['postgres'], weight: 1 },
];

/** A world that was killed at random, once nothing moves any more. */
export interface Settled {
  readonly judged: Judged;
  readonly report: RunReport;
  /** Leaves data and logs where they are. */
  keep(): void;
  close(): Promise<void>;
}

/** From an empty world to its judgement. What it leaves behind where something is wrong it names. */
export async function replay(options: ReplayOptions): Promise<ReplayReport> {
  const { judged, report, keep, close } = await runThrough(options);
  try {
    const startedAt = performance.now();
    const verdict = await judge(judged);
    if (verdict.violations.length > 0) keep();
    return { ...report, verdict, judgingMs: performance.now() - startedAt };
  } finally {
    await close();
  }
}

/** Posts the file and lets people chat beside it, kills processes meanwhile, and waits until all of it has come through. */
export async function runThrough(options: ReplayOptions): Promise<Settled> {
  const deal = await dealOut(options.file, options.channels, options.lines);
  options.log(`seed ${options.seed}: ${deal.messages} messages into ${options.channels} channels`);
  const world = await startWorld('replay', 'kafka', {
    fleetProcesses: FLEET_PROCESSES,
    redis: false,
    report: ({ part, note }) => part === '' && options.log(`stack: ${note.split('\n', 1)[0]}`),
  });
  let crowd: Crowd | null = null;
  const close = async (): Promise<void> => {
    crowd?.close();
    await world.close();
  };
  try {
    const scene = await setUp(world, deal, options);
    crowd = scene.crowd;
    const report = await killThrough(scene, options);
    return { judged: await observe(scene, options), report, keep: () => world.keep(), close };
  } catch (error) {
    world.keep();
    await close();
    throw error;
  }
}

interface Scene {
  readonly world: World;
  readonly deal: Deal;
  readonly importer: WorldUser;
  readonly channelIds: readonly string[];
  readonly texts: readonly string[];
  readonly crowd: Crowd;
}

async function setUp(world: World, deal: Deal, { channels, seed }: ReplayOptions): Promise<Scene> {
  await recordEffects(world.sql);
  const importer = await world.user('importer-r', { scopes: [...TOKEN_SCOPES, 'messages:import'] });
  const users = new Map<string, WorldUser>();
  for (const handle of HANDLES) users.set(handle, await world.user(handle));
  const channelIds: string[] = [];
  for (let n = 1; n <= channels; n += 1) channelIds.push(await world.channel(`replay-${n}`, [importer, ...users.values()]));
  const texts = deal.channels.flatMap((messages) => messages.slice(0, TEXTS_PER_CHANNEL).map(({ text }) => text));
  const crowd = startCrowd({ users, channelIds, texts, random: seededRandom(seed + 1), perSecond: CHAT_PER_SECOND });
  return { world, deal, importer, channelIds, texts, crowd };
}

async function killThrough(scene: Scene, options: ReplayOptions): Promise<RunReport> {
  const { world, deal, crowd } = scene;
  const [startedAt, over] = [performance.now(), new AbortController()];
  const killing = killAtRandom(VICTIMS, options.killEvery, options.kills, over.signal, {
    random: seededRandom(options.seed),
    pids: () => world.pids(),
    kill: (pid) => process.kill(pid, 'SIGKILL'),
    report: (line) => options.log(`${seconds(performance.now() - startedAt)} ${line}`),
  });
  const failed = killing.then(() => new Promise<never>(() => {}));
  await Promise.race([post(scene, options), failed]);
  const postedAt = performance.now();
  options.log(`${seconds(postedAt - startedAt)} all is posted`);
  await Promise.race([untilIndexed(world.sql, deal.messages * INDEXED_SHARE, KILL_ON_MS), failed]);
  over.abort();
  const kills = await killing;
  await crowd.end();
  await untilSettled(world, await readHeads(scene), SETTLE_MS + deal.messages * SETTLE_MS_A_MESSAGE);
  const settledAt = performance.now();
  options.log(`${seconds(settledAt - startedAt)} all has come through`);
  return {
    seed: options.seed,
    messages: deal.messages,
    acknowledged: crowd.loads.reduce((sum, { acknowledged }) => sum + acknowledged.length, 0),
    repetitions: crowd.loads.reduce((sum, { retries }) => sum + retries, 0),
    kills,
    postingMs: postedAt - startedAt,
    settlingMs: settledAt - postedAt,
  };
}

async function post({ world, deal, importer, channelIds }: Scene, { rate, log }: ReplayOptions): Promise<void> {
  let posted = 0;
  const telling = setInterval(() => log(`${posted} of ${deal.messages} posted`), 10_000);
  await postAll({ url: world.baseUrl, token: importer.token, deal, channelIds, rate, onPosted: (count) => (posted += count) }).finally(() => clearInterval(telling));
}

const readHeads = async ({ world, channelIds, importer }: Scene): Promise<Map<string, number>> =>
  new Map(await Promise.all(channelIds.map(async (id) => [id, await readHead(world, id, importer.token)] as const)));

async function observe(scene: Scene, { seed }: ReplayOptions): Promise<Judged> {
  const { world, deal, importer, channelIds, texts, crowd } = scene;
  const heads = await readHeads(scene);
  const channels = channelIds.flatMap((id, n): WrittenChannel[] => {
    const load = crowd.loads[n];
    const posted = (deal.channels[n] ?? []).map(({ line, text }) => ({ client_msg_id: clientMsgId(deal.identity, line), text }));
    return load === undefined ? [] : [{ id, posted, load, head: heads.get(id) ?? 0 }];
  });
  const random = seededRandom(seed + 2);
  const words = Array.from({ length: WORDS }, () => pick(random, pick(random, texts).toLowerCase().split(/[^a-z]+/)));
  return { world, importerId: importer.id, channels, people: crowd.people, told: crowd.told, words: words.filter((word) => word.length > 1) };
}

const seconds = (milliseconds: number): string => `${(milliseconds / 1_000).toFixed(1)} s`;
