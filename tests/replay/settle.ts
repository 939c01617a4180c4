import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { createKafka } from '../../consumers/kafka/client.ts';
import { type FleetStatus, readFleetStatus } from '../../consumers/status/fleet-status.ts';
import { embeddedStatus, kafkaStatus } from '../../consumers/status/transport.ts';
import type { Sql } from '../../db/client.ts';
import { Reader } from '../support/reader.ts';
import type { World } from '../support/world.ts';
import { readDrained } from './stores.ts';

const LOOK_MS = 500;

/** The last event of a room, by its own word: it is asked again while it is away. */
export async function readHead(world: World, channelId: string, token: string): Promise<number> {
  const reader = new Reader({ name: 'head', baseUrl: world.baseUrl, channelId, token, epoch: 1, after: 0 }).start();
  try {
    await reader.welcomed(1, 60_000);
    return reader.head;
  } finally {
    reader.stop();
  }
}

/** Resolves when a share of these messages is in the index, or what killed processes hold up is not through after `withinMs`. */
export async function untilIndexed(sql: Sql, messages: number, withinMs: number): Promise<void> {
  for (const deadline = performance.now() + withinMs; performance.now() < deadline; await sleep(LOOK_MS)) {
    const [row] = await sql<{ count: number }[]>`SELECT count(*)::integer AS count FROM search_messages`.catch(() => []);
    if ((row?.count ?? 0) >= messages) return;
  }
}

/** Resolves when every room is drained, everything is relayed and every group has taken it. @throws where that takes longer. */
export async function untilSettled(world: World, heads: ReadonlyMap<string, number>, withinMs: number): Promise<void> {
  let unsettled = 'nothing was seen';
  for (const deadline = performance.now() + withinMs; performance.now() < deadline; await sleep(LOOK_MS)) {
    try {
      unsettled = await describeUnsettled(world, heads);
      if (unsettled === '') return;
    } catch (error) {
      unsettled = String(error);
    }
  }
  throw new Error(`not settled within ${withinMs / 1_000} s: ${unsettled}`);
}

async function describeUnsettled({ sql, brokers }: World, heads: ReadonlyMap<string, number>): Promise<string> {
  const drained = await readDrained(sql);
  const rooms = [...heads].filter(([id, head]) => (drained.get(id) ?? 0) < head).map(([id, head]) => `${id} is drained to ${drained.get(id)} of ${head}`);
  const { relay, groups, kafka_fault } = await readStatus(sql, brokers);
  // What never took a batch and is read by nobody does not run here.
  const running = groups.filter(({ last_progress, partitions }) => last_progress !== null || partitions.some(({ reader }) => reader !== null));
  const waiting = running.filter(({ lag, parked_keys }) => lag !== 0 || parked_keys > 0).map(({ group, lag, parked_keys }) => `${group} lags by ${lag}, ${parked_keys} keys are parked`);
  const unrelayed = relay?.oldest_unrelayed_seconds ?? null;
  return [...rooms, ...(unrelayed === null ? [] : [`the relay is ${unrelayed} s behind`]), ...(kafka_fault === null ? [] : [kafka_fault]), ...waiting].join('; ');
}

function readStatus(sql: Sql, brokers: string | null): Promise<FleetStatus> {
  const log = pino({ level: 'silent' });
  const transport = brokers === null ? embeddedStatus(sql) : kafkaStatus(createKafka({ brokers: brokers.split(','), clientId: 'colink-replay', log }), sql);
  return readFleetStatus({ sql, transport, sampleMs: 100 });
}
