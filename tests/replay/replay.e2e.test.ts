import { expect, it } from 'vitest';
import type { Sql } from '../../db/client.ts';
import { detect } from '../../dev/components.ts';
import { whyNoBroker } from '../../dev/transport.ts';
import { IRC_SAMPLE } from '../support/irc.ts';
import { seedOfRun } from '../support/seed.ts';
import { runThrough } from './replay.ts';
import { judge } from './verdict.ts';

const seed = seedOfRun();
const noBroker = process.env['KAFKA_BROKERS'] ? 'the broker is not ours' : whyNoBroker(detect());
const isLeftOut = noBroker !== null && !process.env['CI'];

/** What nobody may find out too late: each is done to one store, and has to be seen there. */
const PLANTED: readonly (readonly [string, (sql: Sql) => Promise<unknown>, RegExp])[] = [
  ['a message that Postgres lost', (sql) => sql`DELETE FROM messages m WHERE m.id = (SELECT o.id FROM messages o WHERE o.pos = 7 LIMIT 1)`, /G1 lost in postgres|G6 lost in postgres|holds .+ as its message/],
  ['two messages that changed places', (sql) => sql`UPDATE messages m SET pos = 41 - m.pos WHERE m.pos IN (20, 21) AND m.channel_id = (SELECT c.channel_id FROM conversation_logs c LIMIT 1)`, /as its message \d+ of the file|G6 differs/],
  ['another text in the index', (sql) => sql`UPDATE search_messages s SET text = 'other' WHERE s.id = (SELECT m.id FROM messages m WHERE m.pos = 9 LIMIT 1)`, /G7 differs in index/],
  ['a message that came into the index twice', (sql) => sql`INSERT INTO effects (channel_id, seq) SELECT m.channel_id, m.seq FROM messages m WHERE m.client_msg_id LIKE 'irc-%' AND m.pos = 30 LIMIT 1`, /effects of search-indexer: duplicated/],
  ['a record that the log never had', (sql) => sql`DELETE FROM event_log e WHERE e.position = (SELECT max(o.position) FROM event_log o WHERE o.topic = 'user.events')`, /user\.events: ghost/],
  ['a place behind its events', (sql) => sql`UPDATE consumer_keys k SET position = k.position - 1 WHERE k.group_id = 'notifier' AND k.key = (SELECT c.channel_id FROM conversation_logs c LIMIT 1)`, /books do not reconcile.+notifier/],
  ['a dead letter', (sql) => sql`INSERT INTO dead_letters (stage, topic, error_class, error_message, attempts, first_failed_at, last_failed_at) VALUES ('drain', 'message.events', 'x', '', 1, now(), now())`, /1 dead letters/],
  ['a read marker that moved', (sql) => sql`UPDATE read_states r SET read_pos = r.read_pos + 1`, /the read marker of .+ is \d+, its replay \d+/],
  ['a thread that counts wrongly', (sql) => sql`UPDATE threads t SET reply_count = t.reply_count + 1`, /thread .+ is .+ its replay/],
  ['a drain that claims more than it did', (sql) => sql`UPDATE conversation_logs l SET drained_seq = l.drained_seq + 1`, /drained_seq of .+ its replay/],
];

it.skipIf(isLeftOut)(`G1, G2, G3, G6, G7: what was killed at random ends as a replay of its log, and what does not is seen (seed ${seed})${isLeftOut ? ` (left out: ${noBroker})` : ''}`, async () => {
  const lines: string[] = [];
  const { judged, report, close } = await runThrough({
    file: IRC_SAMPLE, lines: 2_000, seed, channels: 4, kills: 8, killEvery: 1_500, rate: 50, log: (line) => void lines.push(line),
  });
  try {
    const verdict = await judge(judged);
    if (verdict.violations.length > 0) console.error(lines.join('\n'));
    expect(verdict.violations).toEqual([]);
    expect(verdict.books.filter((account) => account.in > 0).length).toBeGreaterThan(3);
    expect(report.kills.total).toBeGreaterThan(3);
    const { sql } = judged.world;
    for (const [, plant] of PLANTED) await plant(sql);
    const { violations } = await judge({ ...judged, told: () => ({ unread: -1, mentions: 0 }) });
    const unseen = PLANTED.filter(([, , seen]) => !violations.some((violation) => seen.test(violation))).map(([what]) => what);
    expect(unseen).toEqual([]);
    expect(violations.some((violation) => /the badge of .+ its replay/.test(violation))).toBe(true);
  } finally {
    await close();
  }
}, 300_000);
