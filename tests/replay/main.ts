import { parseArgs } from 'node:util';
import { z } from 'zod';
import { IRC_SAMPLE } from '../support/irc.ts';
import { replay, type ReplayReport } from './replay.ts';

/**
 * `npm run replay -- --file <log.tsv.gz> --seed N`: real messages through a whole stack of this machine while processes are killed at random, then every
 * store against a replay of the log. Exit code 0: all equal; 1: not; 2: a wrong call.
 */
const optionsSchema = z.object({
  file: z.string().default(IRC_SAMPLE),
  lines: z.coerce.number().int().positive().default(Infinity),
  seed: z.coerce.number().int().min(0).default(() => Math.floor(Math.random() * 2 ** 31)),
  channels: z.coerce.number().int().min(1).max(50).default(12),
  kills: z.coerce.number().int().min(0).default(1_000),
  'kill-every': z.coerce.number().positive().default(3),
  rate: z.coerce.number().positive().default(Infinity),
  json: z.boolean().default(false),
});

async function main(): Promise<number> {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({ options: { file: text, lines: text, seed: text, channels: text, kills: text, 'kill-every': text, rate: text, json: { type: 'boolean' } } });
  const parsed = optionsSchema.safeParse(values);
  if (!parsed.success) {
    console.error(z.prettifyError(parsed.error));
    return 2;
  }
  const { json, 'kill-every': killEvery, ...options } = parsed.data;
  const report = await replay({ ...options, killEvery: killEvery * 1_000, log: (line) => console.error(line) });
  console.log(json ? JSON.stringify(report) : describe(report).join('\n'));
  return report.verdict.violations.length === 0 ? 0 : 1;
}

function describe({ seed, messages, acknowledged, repetitions, kills, postingMs, settlingMs, judgingMs, verdict }: ReplayReport): string[] {
  const times = [postingMs, settlingMs, judgingMs].map((ms) => `${Math.round(ms / 1_000)} s`);
  const made = Object.entries(kills.made).map(([kind, count]) => `${count} of ${kind}`);
  return [
    `seed ${seed}: ${number(messages)} messages of the file, ${number(acknowledged)} commands of people (${number(repetitions)} repetitions)`,
    `${kills.total} kills: ${made.join(', ')}`,
    `posted in ${times[0]}, all through ${times[1]} later, judged in ${times[2]}`,
    `${number(verdict.records)} records on Kafka, ${number(verdict.repeated)} of them again; ${verdict.deadLetters} dead letters`,
    ...verdict.books.map((one) => `  ${`${one.group} of ${one.topic}`.padEnd(34)} in ${number(one.in)} = ${number(one.done)} done + ${one.parked} parked + ${one.dead} dead + ${one.discarded} discarded`),
    ...verdict.violations.slice(0, 20).map((violation) => `VIOLATION ${violation}`),
    verdict.violations.length === 0 ? 'EQUAL: topics, tables, index and counters are a replay of the log' : `${verdict.violations.length} violations`,
  ];
}

const number = (value: number): string => value.toLocaleString('en-US');

process.exitCode = await main();
