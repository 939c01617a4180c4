import type { Logger } from 'pino';
import { ALL_KEYS, type LogRow, type LogShard, readLogPage, surveyLog } from '../../db/queries/event-log.ts';
import { type RelayTerm, saveRelayCursor, takeOverRelay } from '../../db/queries/relay.ts';
import { failureFields } from '../runtime/classify.ts';
import { ExclusiveSession } from '../runtime/exclusive-session.ts';
import type { LogPort } from '../runtime/log-walk.ts';
import { Poller } from '../runtime/poller.ts';
import type { Service } from '../runtime/service.ts';
import { relayPage, type RelayPlace } from './core.ts';

/** Where records go. */
export interface RecordSink {
  /** Resolves when all rows are acknowledged. One call at a time. */
  send(rows: readonly LogRow[]): Promise<void>;
  /** `hard`: without waiting for what is being sent. */
  close(hard: boolean): Promise<void>;
}

export interface RelayOptions {
  readonly databaseUrl: string;
  readonly sink: RecordSink;
  readonly log: Logger;
  /** Told of every page that is sent and stored. */
  readonly onSent: (rows: number) => void;
  /** Told when this relay begins or ends to lead. */
  readonly onLeading?: (isLeading: boolean) => void;
  readonly pageRows?: number;
  /** Default: all keys. */
  readonly keys?: LogShard;
}

const PAGE_ROWS = 5_000;
const IDLE = { first: 20, most: 200 };
const FAILURE = { first: 200, most: 5_000 };
/**
 * Milliseconds after which an idle relay stores its place too: old partitions are then seen to be done with, and another layout of the shards
 * begins at most so far back for the sake of a shard that had nothing to send.
 */
const IDLE_SAVE = 5_000;

interface Leadership {
  readonly session: number;
  readonly term: RelayTerm;
  place: RelayPlace;
  savedAt: number;
}

/**
 * The outbox relay of one shard: moves `event_log` to Kafka. Any number may run; one leads, by an advisory lock on its own session and a
 * fence in `relay_states`, and the others take over within about a second of its end.
 */
export function createRelay(options: RelayOptions): Service {
  const { sink, log, keys = ALL_KEYS } = options;
  const { shard } = keys;
  const session = new ExclusiveSession(options.databaseUrl, 'colink-relay', { relayOfShard: shard });
  let leadership: Leadership | null = null;

  async function lead(): Promise<Leadership | null> {
    const held = await session.term();
    if (held === null) return stepDown();
    if (leadership?.session === held) return leadership;
    stepDown();
    const taken = await takeOverRelay(session.sql, keys);
    if (taken === null) return null;
    const { term, cursor } = taken;
    leadership = { session: held, term, place: { cursor, window: null }, savedAt: Date.now() };
    log.info({ shard, fence: term.fence }, 'the relay leads');
    options.onLeading?.(true);
    return leadership;
  }

  function stepDown(): null {
    if (leadership !== null) options.onLeading?.(false);
    leadership = null;
    return null;
  }

  async function step(ending: AbortSignal): Promise<boolean> {
    const leading = await lead();
    if (leading === null || ending.aborted) return false;
    const ports = {
      log: logPort(session, keys),
      produce: (rows: readonly LogRow[]) => sink.send(rows),
      save: (cursor: RelayPlace['cursor']) => saveRelayCursor(session.sql, leading.term, cursor),
    };
    const { outcome, place } = await relayPage(leading.place, ports, options.pageRows ?? PAGE_ROWS);
    leading.place = place;
    if (outcome.kind === 'idle' && Date.now() - leading.savedAt < IDLE_SAVE) return false;
    const isSaved = outcome.kind === 'idle' ? await ports.save(place.cursor) : outcome.kind === 'sent';
    if (!isSaved) return giveWay(leading);
    leading.savedAt = Date.now();
    if (outcome.kind === 'sent') options.onSent(outcome.rows);
    return outcome.kind === 'sent';
  }

  function giveWay({ term }: Leadership): false {
    log.warn({ shard, fence: term.fence }, 'another relay leads');
    session.doubt();
    stepDown();
    return false;
  }

  return new Poller({
    name: 'outbox-relay',
    step,
    idle: IDLE,
    failure: FAILURE,
    onError: (error) => {
      stepDown();
      log.warn(failureFields(error), 'the relay waits');
    },
    release: async (hard) => {
      stepDown();
      await session.close(hard);
      await sink.close(hard);
    },
  });
}

function logPort(session: ExclusiveSession, keys: LogShard): LogPort {
  return {
    survey: (cursor) => surveyLog(session.sql, cursor, null, keys),
    readPage: (cursor, window, limit) => readLogPage(session.sql, cursor, window, limit, null, keys),
  };
}
