import type { z } from 'zod';
import type { batchBodySchema } from '../../protocol/api.ts';
import { MAX_BATCH } from '../../protocol/limits.ts';
import { clientMsgId, type IrcMessage } from './irc-file.ts';

export type ImportedMessage = z.input<typeof batchBodySchema>['messages'][number];
export interface Batch {
  readonly messages: readonly ImportedMessage[];
  readonly firstLine: number;
  readonly lastLine: number;
}

/** Far below the largest body a batch may have, so that a long text more never exceeds it. */
const BATCH_BYTES = 1024 * 1024;

export const importedMessage = (identity: string, message: IrcMessage): ImportedMessage => ({
  client_msg_id: clientMsgId(identity, message.line),
  text: message.text,
  origin: { source: 'irc', author: message.author, sent_at: message.sent_at },
});

/** Groups messages in order, each group within `size` messages and a body the API takes. */
export async function* inBatches(identity: string, messages: AsyncIterable<IrcMessage>, size = MAX_BATCH): AsyncGenerator<Batch> {
  let gathered: ImportedMessage[] = [];
  let [firstLine, lastLine, bytes] = [0, 0, 0];
  for await (const message of messages) {
    if (gathered.length === 0) [firstLine, bytes] = [message.line, 0];
    gathered.push(importedMessage(identity, message));
    lastLine = message.line;
    bytes += Buffer.byteLength(JSON.stringify(gathered.at(-1)));
    if (gathered.length < size && bytes < BATCH_BYTES) continue;
    yield { messages: gathered, firstLine, lastLine };
    gathered = [];
  }
  if (gathered.length > 0) yield { messages: gathered, firstLine, lastLine };
}
