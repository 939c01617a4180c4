import { expect, test } from 'vitest';
import type { CommandResult } from '../../protocol/frames.ts';
import { postMessages, type PostOptions } from './post.ts';
import type { ImportedMessage } from './batches.ts';
import type { IrcMessage } from './irc-file.ts';

async function* file(count: number): AsyncGenerator<IrcMessage> {
  for (let line = 1; line <= count; line++) yield { line, sent_at: '2004-12-25T09:14', author: 'nick', text: `text ${line}` };
}

/** A room that dedupes by `client_msg_id`, as the real one does. */
function createRoom() {
  const log: ImportedMessage[] = [];
  const known = new Set<string>();
  const result = (message: ImportedMessage): CommandResult => {
    const changed = !known.has(message.client_msg_id);
    if (changed) log.push(message);
    known.add(message.client_msg_id);
    return { message_id: '01930000-0000-7000-8000-000000000001', seq: null, pos: null, thread_id: null, tpos: null, at: '2026-11-23T10:00:00.000Z', changed };
  };
  return { log, postBatch: async (_: string, messages: readonly ImportedMessage[]) => messages.map(result) };
}

function options(api: PostOptions['api'], count: number, change: Partial<PostOptions> = {}): PostOptions {
  return {
    api,
    identity: '0123456789abcdef',
    channelId: '01930000-0000-7000-8000-000000000001',
    messages: file(count),
    rate: Infinity,
    signal: new AbortController().signal,
    onBatch: async () => {},
    ...change,
  };
}

test('messages go out in order, in batches the API takes', async () => {
  const room = createRoom();
  const sizes: number[] = [];
  const outcome = await postMessages(options(room, 450, { onBatch: async ({ messages }) => void sizes.push(messages.length) }));
  expect(outcome).toEqual({ posted: 450, added: 450, finished: true });
  expect(sizes).toEqual([200, 200, 50]);
  expect(room.log.map(({ text }) => text)).toEqual(Array.from({ length: 450 }, (_, index) => `text ${index + 1}`));
});

test('a second run adds nothing (G2)', async () => {
  const room = createRoom();
  await postMessages(options(room, 300));
  expect(await postMessages(options(room, 450))).toEqual({ posted: 450, added: 150, finished: true });
  expect(room.log).toHaveLength(450);
});

test('an interruption finishes the batch under way', async () => {
  const room = createRoom();
  const stop = new AbortController();
  const lines: number[] = [];
  const onBatch: PostOptions['onBatch'] = async ({ lastLine }) => {
    lines.push(lastLine);
    if (lastLine === 400) stop.abort();
  };
  expect(await postMessages(options(room, 1_000, { signal: stop.signal, onBatch }))).toMatchObject({ posted: 400, finished: false });
  expect(lines).toEqual([200, 400]);
});

test('a rate spaces the batches', async () => {
  const room = createRoom();
  const startedAt = performance.now();
  await postMessages(options(room, 60, { rate: 500 }));
  expect(performance.now() - startedAt).toBeGreaterThan(100);
});
