import { computed, signal } from '@preact/signals';
import type { User } from '../../protocol/api.ts';
import { reasonOf } from './reason.ts';

const DEBOUNCE_MS = 200;
/** Most people that are offered at once. */
const OFFERED = 8;

/** People as they are being picked: those a search finds, less those that are chosen. */
export class PeopleChoice {
  readonly chosen = signal<readonly User[]>([]);
  readonly query = signal('');
  /** Null as long as nothing has been found yet. */
  readonly #found = signal<readonly User[] | null>(null);
  readonly offered = computed(() => this.#found.value?.filter(({ id }) => !this.chosen.value.some((one) => one.id === id)).slice(0, OFFERED) ?? null);
  /** Index of the one that Enter takes. */
  readonly at = signal(0);
  readonly failure = signal<string | null>(null);
  readonly #search: (q: string) => Promise<readonly User[]>;
  readonly #max: number;
  #searches = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(search: (q: string) => Promise<readonly User[]>, max: number) {
    this.#search = search;
    this.#max = max;
    void this.#find('');
  }

  get isFull(): boolean {
    return this.chosen.value.length >= this.#max;
  }

  write(query: string): void {
    this.query.value = query;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#find(query.trim()), DEBOUNCE_MS);
  }

  move(step: 1 | -1): void {
    const count = this.offered.peek()?.length ?? 0;
    if (count > 0) this.at.value = (this.at.peek() + step + count) % count;
  }

  /** Tells whether there was one to take. */
  take(user: User | undefined = this.offered.peek()?.[this.at.peek()]): boolean {
    if (!user || this.chosen.peek().length >= this.#max) return false;
    this.chosen.value = [...this.chosen.peek(), user];
    this.at.value = 0;
    if (this.query.peek() !== '') this.write('');
    return true;
  }

  remove(user: User | undefined): void {
    this.chosen.value = this.chosen.peek().filter((one) => one !== user);
  }

  async #find(q: string): Promise<void> {
    this.#searches += 1;
    const search = this.#searches;
    try {
      const found = await this.#search(q);
      // An answer to an older query is dropped.
      if (search !== this.#searches) return;
      this.#found.value = found;
      this.at.value = 0;
      this.failure.value = null;
    } catch (error) {
      if (search === this.#searches) this.failure.value = reasonOf(error);
    }
  }
}
