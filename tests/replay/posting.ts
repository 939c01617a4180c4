import { createImportApi } from '../../cli/import/api.ts';
import { type IrcMessage, readIrcMessages, surveyIrcFile } from '../../cli/import/irc-file.ts';
import { postMessages } from '../../cli/import/post.ts';

/** A file's messages, dealt out among channels: whole days, so that what people said to each other stays together. */
export interface Deal {
  readonly identity: string;
  readonly messages: number;
  /** Those of each channel, in the order of the file. */
  readonly channels: readonly (readonly IrcMessage[])[];
}

export async function dealOut(path: string, channels: number, limit: number): Promise<Deal> {
  const { identity, lines, messages } = await surveyIrcFile(path, limit);
  const hands: IrcMessage[][] = Array.from({ length: channels }, () => []);
  const days = new Map<string, number>();
  for await (const message of readIrcMessages(path, 0, lines)) {
    const day = message.sent_at.slice(0, 10);
    if (!days.has(day)) days.set(day, days.size);
    hands[(days.get(day) ?? 0) % channels]?.push(message);
  }
  return { identity, messages, channels: hands };
}

export interface PostingOptions {
  readonly url: string;
  readonly token: string;
  readonly deal: Deal;
  /** In the order of the deal. */
  readonly channelIds: readonly string[];
  /** Messages a second into each channel; Infinity: as fast as they are taken. */
  readonly rate: number;
  readonly onPosted: (messages: number) => void;
}

/** Posts as `colink import` does, all channels at once: a batch in flight in each, again until it is acknowledged. */
export async function postAll({ url, token, deal, channelIds, rate, onPosted }: PostingOptions): Promise<void> {
  const { signal } = new AbortController();
  const api = createImportApi({ url, token, signal, onWait: () => {} });
  await Promise.all(
    channelIds.map((channelId, index) =>
      postMessages({
        api,
        identity: deal.identity,
        channelId,
        messages: each(deal.channels[index] ?? []),
        rate,
        signal,
        onBatch: async (batch) => onPosted(batch.messages.length),
      }),
    ),
  );
}

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}
