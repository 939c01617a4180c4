import type { CAC } from 'cac';
import { z } from 'zod';
import { connect, type Connection } from '../db/client.ts';
import { readDevFile } from '../dev/dev-file.ts';
import type { Scope } from '../protocol/scopes.ts';
import { DATA_DIR } from './data-dir.ts';
import { parseFlags } from './flags.ts';
import { createImportApi, type ImportApi } from './import/api.ts';
import { onInterrupt } from './import/interrupt.ts';
import { readIrcMessages, surveyIrcFile, type IrcSurvey } from './import/irc-file.ts';
import { postMessages } from './import/post.ts';
import { createProgress, formatCount, type Progress } from './import/progress.ts';
import { loadLine, saveState, statePath } from './import/state.ts';
import { resolveTarget } from './import/target.ts';
import { describeVerification, verifyImport } from './import/verify.ts';
import { importSlack } from './import-slack.ts';
import { insertToken } from './token.ts';

const SCOPES: Scope[] = ['channels:read', 'channels:write', 'messages:import'];

const text = z.union([z.string(), z.number()]).transform(String);
const optionsSchema = z.object({
  channel: text,
  rate: z.union([z.literal('max').transform(() => Infinity), z.number().positive()], '--rate is messages a second, or max'),
  limit: z.int('--limit is a number of lines').positive('--limit is a number of lines').default(Infinity),
  user: text,
  token: z.string().optional(),
  url: z.string().optional(),
  postgresUrl: z.string().optional(),
  kafkaBrokers: z.string().optional(),
  verifyOnly: z.boolean().default(false),
});
type Options = z.infer<typeof optionsSchema>;

/** `colink import irc <file>`: exit code 0 when every store holds exactly the file's messages, 1 when not, 130 when interrupted. */
export function registerImport(cli: CAC): void {
  cli
    .command('import <format> <file>', 'Post a chat log: irc into a channel, and check that it arrived; slack, an export of Slack (a zip), into the channels it has')
    .option('--include <what>', 'slack: private, for private channels and direct messages, too')
    .option('--channel <name>', 'irc: channel to post into, made if there is none', { default: 'ubuntu' })
    .option('--rate <n>', 'Messages a second, or max', { default: 'max' })
    .option('--limit <n>', 'Take only the first lines')
    .option('--user <handle>', 'Who posts; a token for a day is made for them', { default: 'alice' })
    .option('--token <token>', `A token with the scopes ${SCOPES.join(', ')}, instead of a new one (COLINK_TOKEN)`)
    .option('--url <url>', 'The API, instead of the running `colink dev` (COLINK_URL)')
    .option('--postgres-url <url>', 'Its Postgres (DATABASE_URL)')
    .option('--kafka-brokers <list>', 'Its brokers (KAFKA_BROKERS); without them event_log is the topic')
    .option('--verify-only', 'Post nothing, only check')
    .action(async (format: string, file: string, flags: unknown) => {
      if (format === 'slack') {
        process.exitCode = await importSlack(file, withEnvironment(flags));
        return;
      }
      if (format !== 'irc') throw new Error(`unknown format ${format}: there are irc and slack`);
      process.exitCode = await importIrc(file, parseFlags(optionsSchema, withEnvironment(flags)));
    });
}

function withEnvironment(flags: unknown): unknown {
  const { COLINK_TOKEN, COLINK_URL, DATABASE_URL, KAFKA_BROKERS } = process.env;
  const named = { token: COLINK_TOKEN, url: COLINK_URL, postgresUrl: DATABASE_URL, kafkaBrokers: KAFKA_BROKERS };
  return { ...named, ...z.record(z.string(), z.unknown()).parse(flags) };
}

async function importIrc(path: string, options: Options): Promise<number> {
  const target = resolveTarget(options, readDevFile(DATA_DIR));
  const progress = createProgress(process.stdout);
  const survey = await surveyIrcFile(path, options.limit);
  reportFaults(survey, progress);
  const connection = connect(target.postgresUrl, { max: 2, applicationName: 'colink-import' });
  const interrupt = onInterrupt(() => progress.note('finishing the batch under way; once more to stop at once'));
  try {
    const token = options.token ?? (await issueToken(connection, options.user));
    const onWait = (reason: string, milliseconds: number): void => progress.note(`${reason}; again in ${(milliseconds / 1_000).toFixed(1)} s`);
    const api = createImportApi({ url: target.url, token, signal: interrupt.signal, onWait });
    const channel = await api.joinChannel(options.channel);
    const finished = options.verifyOnly || (await post({ api, channelId: channel.id, path, survey, rate: options.rate, progress, signal: interrupt.signal }));
    interrupt.release();
    if (!finished) return interrupted(progress);
    const verification = await verifyImport({ sql: connection.sql, channelId: channel.id, path, survey, brokers: target.brokers, progress });
    for (const line of describeVerification(verification, survey)) progress.note(line);
    return verification.exact ? 0 : 1;
  } finally {
    interrupt.release();
    await connection.close();
  }
}

const issueToken = ({ db }: Connection, user: string): Promise<string> =>
  insertToken(db, { user, scopes: SCOPES, days: 1, name: 'colink import' }, new Date());

interface PostJob {
  readonly api: ImportApi;
  readonly channelId: string;
  readonly path: string;
  readonly survey: IrcSurvey;
  readonly rate: number;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

async function post({ api, channelId, path, survey, rate, progress, signal }: PostJob): Promise<boolean> {
  const { identity, lines } = survey;
  const state = statePath(DATA_DIR, identity, channelId);
  const after = Math.min(lines, await loadLine(state, identity, channelId));
  if (after > 0) progress.note(`going on behind line ${formatCount(after)}`);
  progress.update('posting', after, lines);
  const { posted, added, finished } = await postMessages({
    api,
    identity,
    channelId,
    rate,
    signal,
    messages: readIrcMessages(path, after, lines),
    async onBatch({ lastLine }) {
      await saveState(state, { identity, channel_id: channelId, line: lastLine });
      progress.update('posting', lastLine, lines);
    },
  });
  progress.end();
  progress.note(`${formatCount(posted)} posted, ${formatCount(posted - added)} of them were there already`);
  return finished;
}

function interrupted(progress: Progress): number {
  progress.note('interrupted: the same command goes on from here');
  return 130;
}

function reportFaults({ faults, faulty }: IrcSurvey, progress: Progress): void {
  for (const { line, reason } of faults) progress.note(`line ${line} ${reason}: left out`);
  if (faulty > faults.length) progress.note(`${formatCount(faulty - faults.length)} more lines are left out`);
}
