import type { Outcome } from '../protocol/errors.ts';

const REST_MS = 1_000;

export interface StoredCorePorts<C> {
  /** The core of what this object has stored; null: it has stored nothing. */
  stored(): C | null;
  /** Whose it is: a channel's id, or a user's. */
  idOf(core: C): string;
  /** Fills the object from Postgres. False: there is no such channel or user, and nothing is stored. */
  fill(id: string): Promise<boolean>;
  /** It could not be filled: Postgres is away. */
  failed(id: string, error: unknown): void;
  /** Closes the connection to Postgres if it is idle. False: it is in use, or was a moment ago. */
  rest(): boolean;
  schedule(ms: number, task: () => void): void;
}

/**
 * The core of an object that keeps its state in its own storage. One that has nothing there learns from its first caller who it is, and is filled
 * from Postgres, once for all who ask meanwhile.
 */
export class StoredCore<C> {
  readonly #ports: StoredCorePorts<C>;
  #core: C | null;
  #filling: Promise<Outcome<C>> | null = null;

  constructor(ports: StoredCorePorts<C>) {
    this.#ports = ports;
    this.#core = ports.stored();
  }

  /** Null: nobody has needed it yet. */
  get current(): C | null {
    return this.#core;
  }

  /** Nobody has needed it, and nobody is waiting for it. */
  get isUnused(): boolean {
    return this.#core === null && this.#filling === null;
  }

  /** Rejects where the object is another's. */
  async open(id: string): Promise<Outcome<C>> {
    const opened = this.#core === null ? await this.#fillOnce(id) : { ok: this.#core };
    if ('ok' in opened && this.#ports.idOf(opened.ok) !== id) throw new Error('this object is another\'s');
    return opened;
  }

  /** For calls that are repeated when they fail. Rejects with the code of the problem. */
  async mustOpen(id: string): Promise<C> {
    const core = await this.open(id);
    if ('problem' in core) throw new Error(core.problem.code);
    return core.ok;
  }

  #fillOnce(id: string): Promise<Outcome<C>> {
    this.#filling ??= this.#fill(id).finally(() => (this.#filling = null));
    return this.#filling;
  }

  async #fill(id: string): Promise<Outcome<C>> {
    try {
      if (!(await this.#ports.fill(id))) return { problem: { code: 'not_found' } };
    } catch (error) {
      this.#ports.failed(id, error);
      return { problem: { code: 'unavailable', retry_after: 1 } };
    } finally {
      this.#closeWhenIdle();
    }
    this.#core = this.#ports.stored();
    return this.#core === null ? { problem: { code: 'internal' } } : { ok: this.#core };
  }

  /** The connection must not keep the object awake, whatever became of it. */
  #closeWhenIdle(): void {
    this.#ports.schedule(REST_MS, () => {
      if (!this.#ports.rest()) this.#closeWhenIdle();
    });
  }
}
