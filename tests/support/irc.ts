import { fileURLToPath } from 'node:url';
import { readIrcMessages, type IrcMessage } from '../../cli/import/irc-file.ts';

/** The sample of real messages (`tests/data/README.md`), as a path for the importer. */
export const IRC_SAMPLE = fileURLToPath(new URL('../data/ubuntu-irc-sample.tsv.gz', import.meta.url));

/** The first `limit` of the sample's 2,000 messages. */
export async function readIrcSample(limit = 2_000): Promise<IrcMessage[]> {
  const messages: IrcMessage[] = [];
  for await (const message of readIrcMessages(IRC_SAMPLE, 0, limit)) messages.push(message);
  return messages;
}
