import type { CAC } from 'cac';
import { connect } from '../db/client.ts';
import { classifyPostgresError } from '../db/errors.ts';
import type { Act, Desk } from './dlq/desk.ts';
import { discard } from './dlq/discard.ts';
import { edit } from './dlq/edit.ts';
import { exportLetters } from './dlq/export.ts';
import { list, show, stats } from './dlq/read-acts.ts';
import { redrive } from './dlq/redrive.ts';
import { onInterrupt } from './import/interrupt.ts';
import { postgresUrl } from './postgres-url.ts';

const ACTS = new Map<string, Act>(Object.entries({ list, show, stats, export: exportLetters, redrive, edit, discard }));

/** `colink dlq <act>`: the dead letters of DATABASE_URL, for people (`docs/dead-letters.md`). */
export function registerDlq(cli: CAC): void {
  cli
    .command('dlq <act> [...ids]', `Dead letters: ${[...ACTS.keys()].join(', ')}`)
    .option('--group <group>', 'Of this consumer group, or drain')
    .option('--topic <topic>', 'Of this topic')
    .option('--status <status>', 'list, stats, export: pending, redriving, redriven or discarded')
    .option('--error-class <class>', 'That failed with this')
    .option('--since <time>', 'That failed last since then: 2h, or 2026-11-26T03:00:00Z')
    .option('--until <time>', 'That failed last before then')
    .option('--json', 'list, stats, show: one JSON document a line')
    .option('--below <number>', 'list: go on there')
    .option('--output <file>', 'export: append there, going on behind what it has')
    .option('--after <number>', 'export: go on there')
    .option('--all', 'redrive, discard: all there are')
    .option('--dry-run', 'redrive, discard: only say what would be done')
    .option('--limit <n>', 'At most so many')
    .option('--rate <n>', 'redrive: letters a second, such as 10/s')
    .option('--canary <n>', 'redrive: so many first, and the rest only if they all succeed')
    .option('--wait <time>', 'redrive: seconds to wait for what becomes of them, 30 by default')
    .option('--key <key>', 'edit: redrive this key')
    .option('--value <json>', 'edit: redrive this value')
    .option('--value-file <file>', 'edit: redrive the value in this file, - for standard input')
    .option('--header <name=value>', 'edit: redrive this header; may be repeated')
    .option('--force', 'edit: take what the event\'s schema refuses')
    .option('--if-version <n>', 'edit: only if this is the letter\'s version')
    .option('--reason <text>', 'Why; discard and edit ask for it')
    .option('--by <name>', 'Who acts, if not the user of this machine')
    .action(async (name: string, ids: readonly string[], flags: object) => {
      const act = ACTS.get(name);
      if (act === undefined) throw new Error(`there is no dlq ${name}: there are ${[...ACTS.keys()].join(', ')}`);
      process.exitCode = await perform(act, ids, flags);
    });
}

async function perform(act: Act, ids: readonly string[], flags: object): Promise<number> {
  const connection = connect(postgresUrl(), { max: 1, applicationName: 'colink-dlq' });
  const note: Desk['note'] = (line) => console.error(line);
  const interrupt = onInterrupt(() => note('ending after what is under way; once more to stop at once'));
  // A reader that has seen enough closes the pipe: the write that fails ends the act.
  process.stdout.on('error', () => {});
  try {
    return await act({ connection, print, note, signal: interrupt.signal }, ids, flags);
  } catch (error) {
    throw new Error(sentenceOf(error), { cause: error });
  } finally {
    interrupt.release();
    await connection.close();
  }
}

/** Query builders put whole queries, values and all, into their messages: the words of what lies below are what a person needs. */
function sentenceOf(error: unknown): string {
  const below = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const words = below instanceof Error ? below.message : String(below);
  return classifyPostgresError(error) === 'unreachable' ? `Postgres is away, or others hold what this needs: run the same command again (${words})` : words;
}

/** Waits for a reader that is slower. */
function print(line: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(`${line}\n`, (error) => (error ? reject(error) : resolve()));
  });
}
