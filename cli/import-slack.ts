import { join } from 'node:path';
import { z } from 'zod';
import { connect } from '../db/client.ts';
import { readDevFile } from '../dev/dev-file.ts';
import type { Scope } from '../protocol/scopes.ts';
import { DATA_DIR } from './data-dir.ts';
import { parseFlags } from './flags.ts';
import { createImportApi, type ImportApi } from './import/api.ts';
import { onInterrupt } from './import/interrupt.ts';
import { createProgress, formatCount, type Progress } from './import/progress.ts';
import { type Conversation, SlackExport } from './import/slack/export.ts';
import { ConversationPoster, type Posted } from './import/slack/post.ts';
import { identityOf, loadSlackState, saveSlackState } from './import/slack/state.ts';
import { insertToken } from './token.ts';

const SCOPES: Scope[] = ['channels:read', 'channels:write', 'messages:import'];

const optionsSchema = z.object({
  include: z.literal('private', '--include is private, or left out').optional(),
  user: z.union([z.string(), z.number()]).transform(String),
  token: z.string().optional(),
  url: z.string().optional(),
  postgresUrl: z.string().optional(),
});
type Options = z.infer<typeof optionsSchema>;

/**
 * `colink import slack <export.zip>`: every channel of the export into the channel of its name. All of it is read before anything is posted, so that a file that is broken is said to be
 * so first. Exit code 0 when all is posted, 130 when interrupted: the same command goes on.
 */
export async function importSlack(path: string, flags: unknown): Promise<number> {
  const options = parseFlags(optionsSchema, flags);
  const progress = createProgress(process.stdout);
  const slack = await SlackExport.open(path, options.include === 'private');
  const interrupt = onInterrupt(() => progress.note('finishing the batch under way; once more to stop at once'));
  try {
    const total = await survey(slack);
    progress.note(`${formatCount(total)} messages in ${slack.conversations.length} conversations`);
    const { url, token } = await accessOf(options);
    const onWait = (reason: string, milliseconds: number): void => progress.note(`${reason}; again in ${(milliseconds / 1_000).toFixed(1)} s`);
    const api = createImportApi({ url, token, signal: interrupt.signal, onWait });
    return await postAll({ slack, api, total, progress, signal: interrupt.signal, state: join(DATA_DIR, `import-slack-${await identityOf(path)}.json`) });
  } finally {
    interrupt.release();
    slack.close();
  }
}

/** How many messages there are; throws where a file cannot be read. */
async function survey(slack: SlackExport): Promise<number> {
  let total = 0;
  for (const conversation of slack.conversations) for await (const _ of slack.messages(conversation)) total += 1;
  return total;
}

async function accessOf({ token, user, ...flags }: Options): Promise<{ url: string; token: string }> {
  const dev = readDevFile(DATA_DIR);
  const url = flags.url ?? dev?.url;
  if (url === undefined) throw new Error('nothing runs here: start `npm run dev`, or give --url');
  if (token !== undefined) return { url, token };
  const postgres = flags.postgresUrl ?? dev?.postgres_url;
  if (postgres === undefined) throw new Error(`--token is missing: one with the scopes ${SCOPES.join(', ')} (COLINK_TOKEN)`);
  const { db, close } = connect(postgres, { max: 1, applicationName: 'colink-import' });
  return { url, token: await insertToken(db, { user, scopes: SCOPES, days: 1, name: 'colink import' }, new Date()).finally(() => close()) };
}

interface Job {
  readonly slack: SlackExport;
  readonly api: ImportApi;
  readonly total: number;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  /** The file that remembers what is done. */
  readonly state: string;
}

async function postAll(job: Job): Promise<number> {
  const { slack, api, progress } = job;
  const done = await loadSlackState(job.state);
  let seen = 0;
  const all = { posted: 0, added: 0, changed: 0 };
  for (const conversation of slack.conversations) {
    const { id, name, kind, topic } = conversation;
    const channel = await api.joinChannel(name, { kind, topic });
    if (done[id] === channel.id) {
      progress.note(`${name} is done`);
      continue;
    }
    const posted = await postConversation(job, conversation, channel.id, () => progress.update('posting', ++seen, job.total));
    if (posted === null) {
      progress.end();
      progress.note('interrupted: the same command goes on from here');
      return 130;
    }
    for (const key of ['posted', 'added', 'changed'] as const) all[key] += posted[key];
    done[id] = channel.id;
    await saveSlackState(job.state, done);
  }
  progress.end();
  progress.note(describe(all));
  return 0;
}

/** Null: interrupted. */
async function postConversation({ slack, api, signal }: Job, conversation: Conversation, channelId: string, seen: () => void): Promise<Posted | null> {
  const poster = new ConversationPoster(api, channelId, conversation.id, slack.names);
  for await (const message of slack.messages(conversation)) {
    if (signal.aborted) return null;
    await poster.add(message);
    seen();
  }
  await poster.flush();
  return poster.posted;
}

const describe = ({ posted, added, changed }: Posted): string =>
  [`${formatCount(posted)} posted, ${formatCount(posted - added)} of them were there already`, ...(changed > 0 ? [`${formatCount(changed)} were there with another text, and are left as they are`] : [])].join('; ');
