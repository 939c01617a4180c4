import { z } from 'zod';
import { showLetter } from '../../db/dead-letters/edit.ts';
import { summaryOf } from '../../db/dead-letters/view.ts';
import { listDeadLetters, type NumberedLetter, tallyDeadLetters } from '../../db/queries/dead-letter-reads.ts';
import type { DeadLetterAct, DeadLetterDetail, DeadLetterTally, ShownRecord, TextOrBytes } from '../../protocol/dead-letters.ts';
import type { Act } from './desk.ts';
import { filterFlags, readFilter, readFlags, readIds } from './flags.ts';

const MOST_SHOWN = 2_000;
const MOST_TALLIES = 1_000;

/** `colink dlq list`: the newest first. */
export const list: Act = async ({ connection, print, note }, _ids, flags) => {
  const options = readFlags({ ...filterFlags, limit: z.int().min(1).max(1_000).default(50), below: z.int().optional(), json: z.boolean().default(false) }, flags);
  const letters = await listDeadLetters(connection.db, readFilter(options), options.below ?? null, options.limit + 1);
  const page = letters.slice(0, options.limit);
  for (const letter of page) await print(options.json ? JSON.stringify(summaryOf(letter)) : lineOf(letter));
  if (page.length === 0) note('there are none');
  if (letters.length > page.length) note(`older ones: --below ${page.at(-1)?.number ?? 0}`);
  return 0;
};

const lineOf = (letter: NumberedLetter): string =>
  [
    letter.id,
    letter.last_failed_at,
    letter.status + (letter.edited ? '*' : ''),
    letter.group ?? 'drain',
    letter.topic,
    letter.error_class,
    `${letter.attempts}x`,
    letter.value_bytes === null ? 'null' : `${letter.value_bytes}B`,
    `key=${letter.key ?? 'null'}`,
  ].join('  ');

/** `colink dlq stats`: how many of what, and since when. */
export const stats: Act = async ({ connection, print, note }, _ids, flags) => {
  const options = readFlags({ ...filterFlags, json: z.boolean().default(false) }, flags);
  const tallies = await tallyDeadLetters(connection.db, readFilter(options), MOST_TALLIES);
  for (const tally of tallies) await print(options.json ? JSON.stringify(tally) : tallyLine(tally));
  const waiting = tallies.filter(({ status }) => status === 'pending');
  const oldest = waiting.map(({ oldest_failed_at }) => oldest_failed_at).toSorted()[0];
  note(oldest === undefined ? 'nothing is pending' : `${waiting.reduce((sum, { letters }) => sum + letters, 0)} pending, the oldest of ${oldest}`);
  return 0;
};

const tallyLine = (tally: DeadLetterTally): string =>
  [String(tally.letters).padStart(7), tally.status, tally.group ?? 'drain', tally.topic, tally.error_class, `${tally.oldest_failed_at} .. ${tally.newest_failed_at}`].join('  ');

/** `colink dlq show <id>`: the record as it came and as it would be redriven, its failure and its story. */
export const show: Act = async ({ connection, print }, ids, flags) => {
  const { json } = readFlags({ json: z.boolean().default(false) }, flags);
  const [id, ...more] = readIds(ids);
  if (id === undefined || more.length > 0) throw new Error('show one letter: colink dlq show <id>');
  const letter = await connection.db.transaction((tx) => showLetter(tx, id));
  if (letter === null) throw new Error(`there is no dead letter ${id}`);
  await print(json ? JSON.stringify(letter) : describe(letter));
  return 0;
};

function describe(letter: DeadLetterDetail): string {
  const { record, redrives, faults, acts } = letter;
  return [
    `${letter.id}  ${letter.status}  version ${letter.version}`,
    `from      ${letter.group ?? 'the drain'} of ${letter.topic}, partition ${letter.partition ?? 'none'}, offset ${letter.offset ?? 'none'}`,
    `error     ${letter.error_class}: ${letter.error_message}`,
    `failed    ${letter.attempts} times, from ${letter.first_failed_at} to ${letter.last_failed_at}`,
    'came as',
    ...recordLines(record),
    ...(letter.edited ? ['is redriven as', ...recordLines(redrives)] : []),
    ...(faults.length > 0 ? ['a group would refuse it', ...faults.map((fault) => `  ${fault}`)] : []),
    ...(acts.length > 0 ? ['acts', ...acts.map(actLine)] : []),
  ].join('\n');
}

const recordLines = ({ key, value, headers }: ShownRecord): string[] => [
  `  key     ${shown(key)}`,
  ...Object.entries(headers).map(([name, header]) => `  header  ${JSON.stringify(name)} = ${JSON.stringify(header)}`),
  `  value   ${cut(pretty(value))}`,
];

const actLine = ({ at, actor, act, reason, detail }: DeadLetterAct): string =>
  ['', at, actor, act, ...(reason === null ? [] : [JSON.stringify(reason)]), ...(Object.keys(detail).length === 0 ? [] : [JSON.stringify(detail)])].join('  ');

/** Quoted, so that nothing a record holds can steer the terminal. */
const shown = (bytes: TextOrBytes | null): string => (bytes === null ? 'null' : JSON.stringify('text' in bytes ? bytes.text : `base64:${bytes.base64}`));

function pretty(value: TextOrBytes | null): string {
  if (value === null || 'base64' in value) return shown(value);
  try {
    return JSON.stringify(JSON.parse(value.text), null, 2);
  } catch {
    return shown(value);
  }
}

const cut = (text: string): string => (text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)} … (all of it: --json)` : text);
