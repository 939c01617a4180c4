import type { Logger } from 'pino';
import { Poller } from './poller.ts';
import type { RestartableSource } from './restartable-source.ts';
import type { Service } from './service.ts';
import { StallDetector } from './stall-detector.ts';
import { type StreamLag, streamName } from './stream-lag.ts';

export interface WatchedGroup {
  readonly id: string;
  readonly source: Pick<RestartableSource, 'lag' | 'holds' | 'restart'>;
  /** When a batch of the stream was stored or had to wait last, in milliseconds since 1970; null: never. */
  actedAt(stream: Pick<StreamLag, 'topic' | 'partition'>): number | null;
}

export interface WatchdogOptions {
  readonly groups: readonly WatchedGroup[];
  readonly log: Logger;
  readonly now: () => number;
  /** Told of every source that was started again. */
  readonly onStalled: (groupId: string) => void;
  /** Milliseconds of silence, with records to take, that are a stall. */
  readonly stallMs?: number;
  readonly lookEveryMs?: number;
}

/** Longer than any batch may take. */
const STALL_MS = 120_000;
const LOOK_EVERY_MS = 15_000;

/**
 * Looks for groups that silently stand still, says so and starts their sources again: a client of Kafka that has stopped fetching without a
 * word, a handler that never comes back.
 */
export function createWatchdog({ groups, log, now, onStalled, stallMs = STALL_MS, lookEveryMs = LOOK_EVERY_MS }: WatchdogOptions): Service {
  const watched = groups.map((group) => ({ group, detector: new StallDetector(stallMs) }));

  async function look({ group, detector }: (typeof watched)[number]): Promise<void> {
    // Unknown while Kafka or Postgres is away: then nothing can be taken, and that is no silence.
    const lags = await group.source.lag().catch(() => null);
    if (lags === null) return detector.forget();
    const held = lags.filter(({ topic, partition }) => group.source.holds(topic, partition));
    const streams = detector.look(held, now(), group.actedAt);
    if (streams.length === 0) return;
    log.error({ group: group.id, streams, stall_seconds: stallMs / 1_000 }, 'the group stands still: its source starts again');
    detector.forget();
    onStalled(group.id);
    group.source.restart();
  }

  return new Poller({
    name: 'watchdog',
    idle: { first: lookEveryMs, most: lookEveryMs },
    failure: { first: lookEveryMs, most: lookEveryMs },
    onError: () => {},
    step: async () => {
      await Promise.all(watched.map(look));
      return false;
    },
  });
}

/** When something was last done with each stream of each group. */
export class StreamActs {
  readonly #now: () => number;
  readonly #acts = new Map<string, number>();

  constructor(now: () => number) {
    this.#now = now;
  }

  note(groupId: string, stream: Pick<StreamLag, 'topic' | 'partition'>): void {
    this.#acts.set(`${groupId} ${streamName(stream)}`, this.#now());
  }

  of(groupId: string): WatchedGroup['actedAt'] {
    return (stream) => this.#acts.get(`${groupId} ${streamName(stream)}`) ?? null;
  }
}
