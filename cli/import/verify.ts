import { setTimeout as sleep } from 'node:timers/promises';
import type { Sql } from '../../db/client.ts';
import { heldCounts, heldMessages, indexedMessages, loggedEvents, type HeldCounts } from '../../db/queries/verify.ts';
import { createComparison, type Comparison, type ComparisonResult, type StoredMessage } from './comparison.ts';
import { readIrcMessages, type IrcSurvey } from './irc-file.ts';
import { formatCount, type Progress } from './progress.ts';
import { createTopicFold, readTopic } from './topic.ts';

export interface VerifyOptions {
  readonly sql: Sql;
  readonly channelId: string;
  readonly path: string;
  readonly survey: IrcSurvey;
  /** Brokers of the topic; null for the embedded transport, where `event_log` is the topic. */
  readonly brokers: readonly string[] | null;
  readonly progress: Progress;
  /** Milliseconds without any advance after which the stores are compared as they are. */
  readonly patienceMs?: number;
}

export interface Verification {
  readonly results: readonly ComparisonResult[];
  /** Records that the topic holds more than once. They are no fault: consumers know them. */
  readonly repeated: number;
  readonly exact: boolean;
}

/** Waits for the drain, the topic and the index, then compares each with the file, line by line. */
export async function verifyImport(options: VerifyOptions): Promise<Verification> {
  await catchUp(options);
  const { sql, channelId } = options;
  const postgres = await compareStore(options, 'Postgres', heldMessages(sql, channelId));
  const { result: topic, repeated } = await compareTopic(options);
  const index = await compareStore(options, 'index', indexedMessages(sql, channelId));
  const results = [postgres, topic, index];
  return { results, repeated, exact: results.every(({ exact }) => exact) };
}

/** The index is behind the topic and the topic behind Postgres, so the index is the last to wait for. */
async function catchUp({ sql, channelId, survey, progress, patienceMs = 60_000 }: VerifyOptions): Promise<void> {
  let best: HeldCounts = { messages: -1, indexed: -1 };
  let advancedAt = performance.now();
  for (;;) {
    const counts = await heldCounts(sql, channelId);
    if (counts.messages > best.messages || counts.indexed > best.indexed) [best, advancedAt] = [counts, performance.now()];
    progress.update('waiting for drain and index', Math.min(counts.messages, counts.indexed), survey.messages);
    const arrived = counts.messages >= survey.messages && counts.indexed >= survey.messages;
    if (arrived || performance.now() - advancedAt > patienceMs) return progress.end();
    await sleep(500);
  }
}

function begin({ path, survey, progress }: VerifyOptions, store: string): { comparison: Comparison; step: () => void } {
  const comparison = createComparison(store, survey.identity, readIrcMessages(path, 0, survey.lines));
  let taken = 0;
  return { comparison, step: () => progress.update(`comparing ${store}`, ++taken, survey.messages) };
}

async function compareStore(options: VerifyOptions, store: string, held: AsyncIterable<StoredMessage>): Promise<ComparisonResult> {
  const { comparison, step } = begin(options, store);
  for await (const message of held) {
    await comparison.take(message);
    step();
  }
  options.progress.end();
  return comparison.finish();
}

async function compareTopic(options: VerifyOptions): Promise<{ result: ComparisonResult; repeated: number }> {
  const { sql, channelId, brokers, progress } = options;
  const { comparison, step } = begin(options, brokers === null ? 'topic (event_log)' : 'topic');
  const fold = createTopicFold(comparison);
  const sink: typeof fold.take = async (record) => {
    await fold.take(record);
    step();
  };
  if (brokers === null) for await (const record of loggedEvents(sql, channelId)) await sink(record);
  else await readTopic(brokers, channelId, sink);
  progress.end();
  return { result: await comparison.finish(), repeated: fold.repeated() };
}

/** The outcome in lines, the last of them `OK` or `FAILED`. */
export function describeVerification({ results, repeated, exact }: Verification, survey: IrcSurvey): string[] {
  const stores = results.flatMap((result) => [
    `  ${result.store.padEnd(18)} ${formatCount(result.held).padStart(9)} held, ${formatCount(result.equal).padStart(9)} equal, ${result.exact ? 'in order' : `differences: ${formatCount(result.differenceCount)}`}`,
    ...result.differences.map((difference) => `    ${difference}`),
  ]);
  const repetitions = repeated > 0 ? [`  ${formatCount(repeated)} records are on the topic more than once; consumers pass over them`] : [];
  return [`${formatCount(survey.messages)} messages in the file`, ...stores, ...repetitions, exact ? 'OK' : 'FAILED'];
}
