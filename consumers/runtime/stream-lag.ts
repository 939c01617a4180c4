import type { Topic } from '../../protocol/topics.ts';

/** Where a group stands in one stream. */
export interface StreamLag {
  readonly topic: Topic;
  readonly partition: number;
  /** Not yet taken. */
  readonly records: number;
  /** In the source's notation; null before the first batch. */
  readonly cursor: string | null;
  /** When the last batch was stored, in milliseconds since 1970; null before the first. */
  readonly takenAt: number | null;
}

/** Tells of any group what it has not taken yet, from the stored cursors and the transport's ends: of any process, whoever reads. */
export interface LagReader {
  lag(groupId: string, topics: readonly Topic[]): Promise<readonly StreamLag[]>;
  /** Records between two cursors of a stream; `from` null: from the first that there still is. */
  between(stream: { readonly topic: Topic; readonly partition: number }, from: string | null, to: string): Promise<number>;
}

export const totalLag = (streams: readonly StreamLag[]): number => streams.reduce((sum, { records }) => sum + records, 0);

export function streamName({ topic, partition }: { readonly topic: string; readonly partition: number }): string {
  return `${topic}/${partition}`;
}
