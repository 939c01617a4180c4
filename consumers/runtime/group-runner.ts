import type { Logger } from 'pino';
import type { Sql } from '../../db/client.ts';
import { takeBatch, type Taken } from './batch.ts';
import { failureFields } from './classify.ts';
import type { EventSource } from './event-source.ts';
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
  /** Told of every batch, and of every try of a parked key, that is stored. */
  readonly onTaken: (groupId: string, taken: Taken) => void;
}

/** A group at work: its source's records through the batch transaction. */
export function groupService<E extends Typed>(group: ConsumerGroup<E>, source: EventSource, ports: GroupPorts): Service {
  const { sql, log, chance, onTaken } = ports;
  return {
    name: group.id,
    run: () =>
      source.run(async (batch) => {
        const taken = await takeBatch(sql, group, batch, chance);
        if (taken === null) return 'stale';
        onTaken(group.id, taken);
        if (taken.parked > 0 || taken.dead > 0) log.warn({ group: group.id, topic: batch.topic, ...taken }, 'records failed');
        return 'taken';
      }),
    drain: () => source.drain(),
    stop: () => source.stop(),
  };
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
      onTaken(group.id, { ...retried, duplicates: 0, parked: 0 });
      if (retried.dead > 0) log.warn({ group: group.id, ...retried }, 'records are out of retries');
      return true;
    },
  });
}
