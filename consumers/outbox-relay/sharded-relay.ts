import { connect } from '../../db/client.ts';
import { joinRelay, layOutRelay, type RelayMembership } from '../../db/queries/relay-layout.ts';
import { failureFields } from '../runtime/classify.ts';
import { Poller } from '../runtime/poller.ts';
import type { Service } from '../runtime/service.ts';
import { createRelay, type RecordSink, type RelayOptions } from './relay.ts';

export interface ShardedRelayOptions extends Omit<RelayOptions, 'sink' | 'keys'> {
  /** Into how many shards this process lays the relay out when it starts. */
  readonly shards: number;
  /** One for each shard that this process leads. */
  readonly openSink: () => RecordSink;
}

const LOOK = { first: 1_000, most: 1_000 };
const FAILURE = { first: 500, most: 5_000 };

interface Running {
  readonly shards: number;
  readonly relay: Service;
}

/**
 * This process's share of the relay. The processes that relay know of each other by locks in Postgres and divide the shards among them; who comes
 * or goes is seen within a second, who froze within six. Two that see it differently for a moment are kept apart by each shard's own lock and fence.
 */
export function createShardedRelay(options: ShardedRelayOptions): Service {
  const { openSink, shards: wanted, ...relayOptions } = options;
  const connection = connect(options.databaseUrl, { max: 1, applicationName: 'colink-relay' });
  const running = new Map<number, Running>();
  let [isLaidOut, isOver] = [false, false];

  async function step(ending: AbortSignal): Promise<boolean> {
    if (!isLaidOut && (await layOutRelay(connection.sql, wanted))) options.log.info({ shards: wanted }, 'the relay is laid out anew');
    isLaidOut = true;
    const membership = await joinRelay(connection.sql);
    if (membership === null) return false;
    const mine = shareOf(membership);
    await end('drain', (shard, { shards }) => shards !== membership.shards || !mine.includes(shard));
    if (ending.aborted) return false;
    for (const shard of mine) if (!running.has(shard)) start(shard, membership.shards);
    return false;
  }

  function start(shard: number, shards: number): void {
    if (isOver) return;
    const relay = createRelay({ ...relayOptions, sink: openSink(), keys: { shard, shards } });
    running.set(shard, { shards, relay });
    void relay.run();
  }

  async function end(how: 'drain' | 'stop', isMeant: (shard: number, running: Running) => boolean): Promise<void> {
    const meant = [...running].filter(([shard, one]) => isMeant(shard, one));
    await Promise.all(meant.map(([, { relay }]) => relay[how]()));
    for (const [shard] of meant) running.delete(shard);
  }

  return new Poller({
    name: 'outbox-relay',
    step,
    idle: LOOK,
    failure: FAILURE,
    onError: (error) => options.log.warn(failureFields(error), 'the shards of the relay stay as they are'),
    release: async (hard) => {
      isOver = true;
      await end(hard ? 'stop' : 'drain', () => true);
      await connection.close(hard ? 0 : 5);
    },
  });
}

/** Every shard is one process's: they differ by one at most. */
export function shareOf({ rank, processes, shards }: RelayMembership): number[] {
  return Array.from({ length: shards }, (_, shard) => shard).filter((shard) => shard % processes === rank);
}
