import type { Logger } from 'pino';
import type { Sql } from '../../db/client.ts';
import type { Stream } from '../../db/queries/consumer-offsets.ts';
import { takeBatch, type Taken } from './batch.ts';
import { failureFields } from './classify.ts';
import type { EventSource, SourceBatch } from './event-source.ts';
import type { ConsumerGroup } from './group.ts';
import { retryDueKey } from './parked-retrier.ts';
import { Poller } from './poller.ts';
import type { Chance } from './retry-policy.ts';
import type { Service } from './service.ts';

type Typed = { readonly type: string };

export interface GroupPorts {
  readonly sql: Sql;
  readonly log: Logger;
  readonly chance: Chance;
  /** Told of every batch, and of every try of a parked key, that is stored; `stream` null: of the latter. */
  readonly onTaken: (groupId: string, taken: Taken, stream: Pick<Stream, 'topic' | 'partition'> | null) => void;
  /** Told of every batch that could not be taken for reasons outside its data, and will come again. */
  readonly onFailed?: (groupId: string, stream: Pick<Stream, 'topic' | 'partition'>) => void;
}

/** A group at work: its source's records through the batch transaction. */
export function groupService<E extends Typed>(group: ConsumerGroup<E>, source: EventSource, ports: GroupPorts): Service {
  return {
    name: group.id,
    run: () =>
      source.run((batch) =>
        take(group, batch, ports).catch((error: unknown) => {
          ports.onFailed?.(group.id, batch);
          throw error;
        }),
      ),
    drain: () => source.drain(),
    stop: () => source.stop(),
  };
}

async function take<E extends Typed>(group: ConsumerGroup<E>, batch: SourceBatch, { sql, log, chance, onTaken }: GroupPorts): Promise<'taken' | 'stale'> {
  const taken = await takeBatch(sql, group, batch, chance);
  if (taken === null) return 'stale';
  onTaken(group.id, taken, batch);
  if (taken.parked > 0 || taken.dead > 0) log.warn({ group: group.id, topic: batch.topic, ...taken }, 'records failed');
  return 'taken';
}

const RETRY_IDLE = { first: 500, most: 1_000 };
const FAILURE = { first: 200, most: 5_000 };

/** Tries the parked keys of a group again when they are due. Any number may run. */
export function retrierService<E extends Typed>(group: ConsumerGroup<E>, { sql, log, chance, onTaken }: GroupPorts): Service {
  return new Poller({
    name: `${group.id}-retrier`,
    idle: RETRY_IDLE,
    failure: FAILURE,
    onError: (error) => log.warn(failureFields(error), 'the retrier waits'),
    step: async () => {
      const retried = await retryDueKey(sql, group, chance);
      if (retried === null) return false;
      onTaken(group.id, { ...retried, duplicates: 0, parked: 0 }, null);
      if (retried.dead > 0) log.warn({ group: group.id, ...retried }, 'records are out of retries');
      return true;
    },
  });
}
