import { CircuitState, ConsecutiveBreaker, circuitBreaker, handleAll } from 'cockatiel';
import type { Connection, Database } from '../../db/client.ts';
import { findReplayState, findWritePosition, type ReplayState, type WalPosition } from '../../db/queries/replication.ts';
import { within } from '../deadline.ts';
import { ProblemError } from '../problems.ts';
import type { RequestMetrics } from '../request-metrics.ts';
import { type Fitness, fitnessOf, lagOf, type PrimaryReason } from './fitness.ts';

/** Longest the replica may take, in milliseconds: past it the primary is the quicker way. */
const PATIENCE_MS = 500;
/** After so many failures in a row the replica is left alone for so long, in milliseconds, then probed. */
const FAILURES = 3;
export const REST_MS = 2_000;

/** A read for the caller that may be some seconds old, and may not show what is not theirs. */
export interface NearRead<T> {
  /** Reads with the caller's permission in its SQL. Throws a problem where it has nothing to show. */
  readonly read: (db: Database) => Promise<T>;
  /**
   * Whether the caller may still see what was read, by the primary. It is asked after the reading, so that nothing is shown which came after the
   * permission ended (G5). False: the primary is read.
   */
  readonly confirm: (primary: Database, value: T) => Promise<boolean>;
}

/** Runs work on a connection of its own to one server. */
export type OnServer = <T>(work: (connection: Connection) => Promise<T>) => Promise<T>;

/** What a request brings to a read. */
export interface ReadSource {
  readonly primary: OnServer;
  /** Null: there is none. */
  readonly replica: OnServer | null;
  /** What the read has to show; null: nothing in particular. */
  readonly wanted: WalPosition | null;
  /** Lets work go on after the answer. */
  readonly later: (work: Promise<unknown>) => void;
}

/** The replica does not serve for anybody now. */
class UnfitError extends Error {
  override readonly name = 'UnfitError';
  readonly fitness: Exclude<Fitness, 'fit' | 'behind'>;
  constructor(fitness: UnfitError['fitness']) {
    super(fitness);
    this.fitness = fitness;
  }
}

type Tried<T> = { readonly value: T } | { readonly reason: PrimaryReason };

/** The reads of an isolate that a replica may answer, and whether it does. */
export class ReplicaReads {
  readonly #breaker = circuitBreaker(handleAll, { halfOpenAfter: REST_MS, breaker: new ConsecutiveBreaker(FAILURES) });
  readonly #metrics: Pick<RequestMetrics, 'recordRead' | 'recordReplicaLag'>;
  readonly #patienceMs: number;

  /** `patienceMs`: the longest the replica may take. */
  constructor(metrics: Pick<RequestMetrics, 'recordRead' | 'recordReplicaLag'>, patienceMs = PATIENCE_MS) {
    this.#metrics = metrics;
    this.#patienceMs = patienceMs;
  }

  /** From the replica where it is near enough to the record, else from the primary. Throws what `read` throws on the primary. */
  read<T>(source: ReadSource, near: NearRead<T>): Promise<T> {
    return source.primary(async (primary) => {
      const tried = await this.#try(source, primary, near);
      this.#metrics.recordRead('reason' in tried ? tried.reason : null);
      return 'reason' in tried ? near.read(primary.db) : tried.value;
    });
  }

  async #try<T>(source: ReadSource, primary: Connection, { read, confirm }: NearRead<T>): Promise<Tried<T>> {
    const { replica } = source;
    if (replica === null) return { reason: 'not_configured' };
    if (this.#breaker.state !== CircuitState.Closed) {
      if (this.#breaker.state === CircuitState.Open) source.later(this.#probe(source.primary, replica));
      return { reason: 'resting' };
    }
    const found = await this.#readReplica(replica, primary, source.wanted, read).catch(reasonOf);
    return 'reason' in found || (await confirm(primary.db, found.value)) ? found : { reason: 'refused' };
  }

  async #readReplica<T>(replica: OnServer, primary: Connection, wanted: WalPosition | null, read: NearRead<T>['read']): Promise<Tried<T>> {
    const position = findWritePosition(primary.sql);
    position.catch(() => {});
    return this.#breaker.execute(async () => {
      const [replay, found] = await within(this.#patienceMs, replica(({ sql, db }) => Promise.all([findReplayState(sql), shown(read(db))])));
      const fitness = this.#judge(replay, await position, wanted);
      return fitness === 'fit' ? found : { reason: fitness };
    });
  }

  /** Throws `UnfitError` for what counts against the replica. */
  #judge(replay: ReplayState | null, primary: WalPosition, wanted: WalPosition | null): 'fit' | 'behind' {
    if (replay !== null) this.#metrics.recordReplicaLag(lagOf(replay, primary));
    const fitness = fitnessOf(replay, primary, wanted);
    if (fitness === 'lagging' || fitness === 'no_replica') throw new UnfitError(fitness);
    return fitness;
  }

  /** Looks, behind the back of a request that the primary answers, whether the replica serves again. While it rests this does nothing. */
  async #probe(primary: OnServer, replica: OnServer): Promise<void> {
    const look = async (): Promise<void> => {
      const position = await primary(({ sql }) => findWritePosition(sql));
      this.#judge(await within(this.#patienceMs, replica(({ sql }) => findReplayState(sql))), position, null);
    };
    await this.#breaker.execute(look).catch(() => {});
  }
}

const reasonOf = (error: unknown): { reason: PrimaryReason } => ({ reason: error instanceof UnfitError ? error.fitness : 'failed' });

/** What a replica refuses, the primary has to refuse: it may only not know yet. */
const shown = <T>(reading: Promise<T>): Promise<Tried<T>> =>
  reading.then(
    (value) => ({ value }),
    (error: unknown) => {
      if (error instanceof ProblemError) return { reason: 'refused' };
      throw error;
    },
  );
