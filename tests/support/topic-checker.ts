import type { Violation } from './checker.ts';
import type { TopicRecord } from './topic.ts';

/** What became of a log in its topic. `repeated`: records that came again, which groups skip by position. */
export interface TopicVerdict {
  readonly violations: readonly Violation[];
  readonly records: number;
  readonly repeated: number;
}

type KeyVerdict = Pick<TopicVerdict, 'violations' | 'repeated'>;

/**
 * Whether a topic is its log: of each key every row, as it is, in position order by first occurrence, and nothing else. A row that first comes
 * behind a later one of its key is `reordered`: a group would take it for a repetition and lose it. One that is missing behind all there are of its
 * key is `unseen`: the relay may still come to it.
 */
export function checkTopic(log: readonly TopicRecord[], topic: readonly TopicRecord[]): TopicVerdict {
  const [logged, carried] = [byKey(log), byKey(topic)];
  const keys = [...new Set([...logged.keys(), ...carried.keys()])];
  const verdicts = keys.map((key) => checkKey(logged.get(key) ?? [], carried.get(key) ?? []));
  return {
    violations: verdicts.flatMap(({ violations }) => violations),
    records: topic.length,
    repeated: verdicts.reduce((sum, { repeated }) => sum + repeated, 0),
  };
}

function byKey(records: readonly TopicRecord[]): Map<string, TopicRecord[]> {
  return Map.groupBy(records, ({ key }) => key);
}

function checkKey(log: readonly TopicRecord[], topic: readonly TopicRecord[]): KeyVerdict {
  const rows = new Map(log.map((row) => [row.position, row]));
  const seen = new Set<number>();
  const violations: Violation[] = [];
  const found = (guarantee: Violation['guarantee'], kind: Violation['kind'], { key, position }: TopicRecord): void => {
    violations.push({ guarantee, kind, where: 'topic', detail: `${position} of ${key}` });
  };
  let highest = 0;
  for (const record of topic) {
    const row = rows.get(record.position);
    if (row === undefined) found('G2', 'ghost', record);
    else if (row.value !== record.value) found('G3', 'differs', record);
    if (!seen.has(record.position) && record.position < highest) found('G3', 'reordered', record);
    seen.add(record.position);
    highest = Math.max(highest, record.position);
  }
  for (const row of log) if (!seen.has(row.position)) found('G1', row.position < highest ? 'lost' : 'unseen', row);
  return { violations, repeated: topic.length - seen.size };
}
