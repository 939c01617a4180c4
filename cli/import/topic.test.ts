import { expect, test } from 'vitest';
import { createComparison } from './comparison.ts';
import { clientMsgId, type IrcMessage } from './irc-file.ts';
import { createTopicFold, type TopicRecord } from './topic.ts';

const identity = '0123456789abcdef';
const id = (n: number): string => `01930000-0000-7000-8000-${String(n).padStart(12, '0')}`;
const base = (seq: number) => ({ seq, id: id(seq), at: '2026-11-23T10:00:00.000Z', actor_id: id(900) });
const joined = (seq: number): TopicRecord => ({ position: seq * 10, channel_seq: seq, data: { ...base(seq), type: 'member.added', user_id: id(900), role: 'owner' } });
const created = (seq: number, line: number): TopicRecord => ({
  position: seq * 10,
  channel_seq: seq,
  data: {
    ...base(seq),
    type: 'message.created',
    message_id: id(100 + seq),
    client_msg_id: clientMsgId(identity, line),
    text: `text ${line}`,
    pos: line,
    thread_id: null,
    tpos: null,
    origin: { source: 'irc', author: 'nick', sent_at: '2004-12-25T09:14' },
  },
});

async function fold(lines: number, records: TopicRecord[]) {
  const file = Array.from({ length: lines }, (_, index): IrcMessage => ({ line: index + 1, sent_at: '2004-12-25T09:14', author: 'nick', text: `text ${index + 1}` }));
  const comparison = createComparison('topic', identity, (async function* () { yield* file; })());
  const topic = createTopicFold(comparison);
  for (const record of records) await topic.take(record);
  return { ...(await comparison.finish()), repeated: topic.repeated() };
}

test('other events of the channel are part of its numbering, not of the file', async () => {
  expect(await fold(2, [joined(1), created(2, 1), created(3, 2)])).toMatchObject({ exact: true, held: 2, repeated: 0 });
});

test('a repeated stretch is counted and passed over (G2)', async () => {
  const result = await fold(3, [created(1, 1), created(2, 2), created(1, 1), created(2, 2), created(3, 3)]);
  expect(result).toMatchObject({ exact: true, held: 3, repeated: 2 });
});

test('a hole in channel_seq is told (G3)', async () => {
  expect(await fold(2, [created(1, 1), created(3, 2)])).toMatchObject({ exact: false, differences: ['channel_seq 3 follows 1'] });
});

test('a record that is no event is told', async () => {
  expect(await fold(0, [{ position: 1, channel_seq: 1, data: { type: 'message.created' } }])).toMatchObject({ exact: false, held: 0 });
});
