import { ProblemError } from '../../client/errors.ts';

interface Ports<Stored extends { readonly version: number }, Body> {
  read(): Promise<Stored>;
  /** Rejects with `precondition_failed` where what is stored has another version. */
  change(version: number, body: Body): Promise<Stored>;
  /** Puts what is stored into the fields. */
  show(stored: Stored): void;
  /** What the fields say. */
  body(): Body;
}

/** What was to be saved had been changed elsewhere; the fields show it as it is now. */
export class StaleError extends Error {}

/** Fields of a form that are stored together, under one version. */
export class StoredPart<Stored extends { readonly version: number }, Body> {
  readonly #name: string;
  readonly #ports: Ports<Stored, Body>;
  #version = 0;
  #stored = '';

  /** `name`: as it begins a sentence, such as `Your profile`. */
  constructor(name: string, ports: Ports<Stored, Body>) {
    this.#name = name;
    this.#ports = ports;
  }

  async read(): Promise<void> {
    this.#take(await this.#ports.read());
  }

  /** Saves the fields where they differ from what is stored; whether they did. `StaleError`: another change came first, and is in the fields now. */
  async save(): Promise<boolean> {
    const body = this.#ports.body();
    if (JSON.stringify(body) === this.#stored) return false;
    try {
      this.#take(await this.#ports.change(this.#version, body));
      return true;
    } catch (error) {
      if (!(error instanceof ProblemError) || error.code !== 'precondition_failed') throw error;
      await this.read();
      throw new StaleError(`${this.#name}: changed elsewhere meanwhile, and not saved here. The form shows it as it is now.`);
    }
  }

  /** What is stored has another version, by a change of something that no field shows: what is being written stays. */
  moved(stored: Stored): void {
    if (JSON.stringify(this.#ports.body()) === this.#stored) this.#take(stored);
    else if (stored.version === this.#version + 1) this.#version = stored.version;
  }

  #take(stored: Stored): void {
    this.#ports.show(stored);
    this.#version = stored.version;
    this.#stored = JSON.stringify(this.#ports.body());
  }
}
