import type { Sql } from '../../db/client.ts';
import { type Topic, TOPICS } from '../../protocol/topics.ts';
import { check } from '../support/checker.ts';
import { checkEffects } from '../support/effect-checker.ts';
import { readEffects } from '../support/effects.ts';
import { type LogRecord, takenOver } from '../support/fold.ts';
import type { Load } from '../support/load.ts';
import { observeTables } from '../support/observe.ts';
import { checkTopic } from '../support/topic-checker.ts';
import { readRecords, type TopicRecord } from '../support/topic.ts';
import type { World } from '../support/world.ts';
import { type Account, isEven, readBooks } from './books.ts';
import { type ChannelCounters, type Person, replayCounters, type UnreadCount } from './counters.ts';
import { readChannelCounters, readSearchCounts, readTopicRows } from './stores.ts';
import { channelEventSchema } from '../../protocol/events.ts';

/** A channel that was written to, and what is known of it from outside. */
export interface WrittenChannel {
  readonly id: string;
  /** Ids of the file's messages, in its order, and their texts. */
  readonly posted: readonly { readonly client_msg_id: string; readonly text: string }[];
  readonly load: Load;
  /** The last event of its room. */
  readonly head: number;
}

export interface Judged {
  readonly world: World;
  /** Who posted the file. */
  readonly importerId: string;
  readonly channels: readonly WrittenChannel[];
  readonly people: readonly Person[];
  /** What the person's inbox has told. */
  readonly told: (userId: string, channelId: string) => UnreadCount;
  /** Looked for in the index, and in every row. */
  readonly words: readonly string[];
}

/** Each violation in words, none: everything equals its replay. */
export interface Verdict {
  readonly violations: readonly string[];
  readonly books: readonly Account[];
  /** Records on Kafka, and those of them that are there again. */
  readonly records: number;
  readonly repeated: number;
  readonly deadLetters: number;
}

/** Compares every store with a replay of the log: topics, tables, index, counters, and the books of the groups. */
export async function judge(judged: Judged): Promise<Verdict> {
  const { sql } = judged.world;
  const topics = await judgeTopics(judged.world);
  const byChannel = Map.groupBy(topics.messages, ({ key }) => key);
  const found = [...topics.violations];
  for (const channel of judged.channels) found.push(...(await judgeChannel(judged, channel, byChannel.get(channel.id) ?? [])));
  const books = await readBooks(sql);
  const [{ letters, parked }] = await sql<[{ letters: number; parked: number }]>`
    SELECT (SELECT count(*)::integer FROM dead_letters) AS letters, (SELECT count(*)::integer FROM parked_records) AS parked`;
  if (letters > 0) found.push(`${letters} dead letters`);
  if (parked > 0) found.push(`${parked} parked records`);
  found.push(...books.filter((account) => !isEven(account)).map((account) => `the books do not reconcile: ${JSON.stringify(account)}`));
  found.push(...(await judgeSearch(sql, judged.words)));
  return { violations: found, books, records: topics.records, repeated: topics.repeated, deadLetters: letters };
}

/** Every topic is its part of the event log: each key whole and in order; what is there again is skipped by its position. */
async function judgeTopics({ sql, brokers }: World): Promise<{ violations: string[]; records: number; repeated: number; messages: TopicRecord[] }> {
  const seen = { violations: [] as string[], records: 0, repeated: 0, messages: [] as TopicRecord[] };
  for (const topic of Object.keys(TOPICS) as Topic[]) {
    const log = await readTopicRows(sql, topic);
    const carried = brokers === null ? log : await readRecords(brokers, null, topic);
    const verdict = checkTopic(log, carried);
    seen.violations.push(...verdict.violations.map(({ kind, detail }) => `${topic}: ${kind} ${detail}`));
    seen.records += verdict.records;
    seen.repeated += verdict.repeated;
    if (topic === 'message.events') seen.messages = carried;
  }
  return seen;
}

async function judgeChannel(judged: Judged, channel: WrittenChannel, records: readonly TopicRecord[]): Promise<string[]> {
  const topic = records.map(({ position, value }): LogRecord => ({ position, event: channelEventSchema.parse(JSON.parse(value)) }));
  const stores = await observeTables({ db: judged.world.db, channelId: channel.id });
  const posted = channel.posted.map((message) => ({ author_id: judged.importerId, ...message }));
  const attempts = [...posted, ...channel.load.attempts];
  const violations = check({ ...stores, topic, attempts, acknowledged: channel.load.acknowledged, readers: [], head: channel.head });
  const history = stores.listings.flatMap(({ messages }) => messages);
  const counters = replayCounters(takenOver(topic));
  return [
    ...violations.map(({ guarantee, kind, where, detail }) => `${guarantee} ${kind} in ${where} of ${channel.id}: ${detail}`),
    ...channel.load.refusals.map((refusal) => `refused in ${channel.id}: ${refusal}`),
    ...outOfOrder(channel, history.filter(({ author_id }) => author_id === judged.importerId)),
    ...(await judgeEffects(judged, channel.id, topic)),
    ...(await judgeCounters(judged, channel.id, counters)),
  ];
}

/** The channel's history of the file is the file. */
function outOfOrder({ id, posted }: WrittenChannel, history: readonly { readonly client_msg_id: string; readonly text: string }[]): string[] {
  const length = Math.max(posted.length, history.length);
  for (let n = 0; n < length; n += 1) {
    const [wanted, held] = [posted[n], history[n]];
    if (wanted?.client_msg_id !== held?.client_msg_id || wanted?.text !== held?.text) {
      return [`${id} holds ${held?.client_msg_id ?? 'nothing'} as its message ${n + 1} of the file, not ${wanted?.client_msg_id ?? 'nothing'}`];
    }
  }
  return [];
}

/**
 * Each message of the file came into the index once, in the order of its channel. (Those that people change may come in with their change, or not at all:
 * a batch is folded before it is applied.)
 */
async function judgeEffects({ world: { sql }, importerId }: Judged, key: string, topic: readonly LogRecord[]): Promise<string[]> {
  const posted = topic.filter(({ event }) => event.type === 'message.created' && event.actor_id === importerId);
  const places = new Map(posted.map(({ position, event }) => [event.seq, { key, position }]));
  const effects = (await readEffects(sql, key)).flatMap((seq) => places.get(seq) ?? []);
  return checkEffects({ log: [...places.values()], effects, parked: [], dead: [], discarded: [], cursors: [] }).map(({ kind, detail }) => `effects of search-indexer: ${kind} ${detail}`);
}

async function judgeCounters({ world: { sql }, people, told }: Judged, channelId: string, replayed: ChannelCounters): Promise<string[]> {
  const stored = await readChannelCounters(sql, channelId);
  const differs = (what: string, held: unknown, wanted: unknown): string[] =>
    JSON.stringify(held) === JSON.stringify(wanted) ? [] : [`${what} of ${channelId} is ${JSON.stringify(held)}, its replay ${JSON.stringify(wanted)}`];
  const roots = [...new Set([...stored.threads.keys(), ...replayed.threads.keys()])];
  return [
    ...differs('drained_seq', stored.drained_seq, replayed.last_seq),
    ...differs('drained_pos', stored.drained_pos, replayed.last_pos),
    ...roots.flatMap((root) => differs(`thread ${root}`, stored.threads.get(root), replayed.threads.get(root))),
    ...people.flatMap((person) => {
      const read = person.read.get(channelId) ?? 0;
      return [
        ...differs(`the read marker of ${person.handle}`, stored.read.get(person.id) ?? 0, read),
        ...differs(`the badge of ${person.handle}`, told(person.id, channelId), replayed.unreadOf(person, read)),
      ];
    }),
  ];
}

/** What the index finds is what a look at every row finds, also after the deaths of its server. */
async function judgeSearch(sql: Sql, words: readonly string[]): Promise<string[]> {
  const counts = await readSearchCounts(sql, words);
  return counts.flatMap(({ word, indexed, scanned }) => (indexed === scanned ? [] : [`the index finds ${indexed} messages with ${word}, its rows hold ${scanned}`]));
}
