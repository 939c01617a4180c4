import { computed, signal } from '@preact/signals';
import type { User } from '../../protocol/api.ts';

/** Most people that are offered at once. */
const MAX_OFFERED = 8;
/** `@` and what may become a handle, right before the caret, where a mention may begin. */
const BEGUN = /(?<![A-Za-z0-9@._-])@([A-Za-z0-9._-]{0,64})$/;

/** What follows a mention without a space. */
const SEPARATED = /^[\s,.;:!?)]/;

/** A mention that is being written. */
interface Begun {
  /** Where its `@` is. */
  readonly start: number;
  readonly query: string;
}

export function begunMention(text: string, caret: number): Begun | null {
  const found = BEGUN.exec(text.slice(0, caret));
  return found && { start: found.index, query: (found[1] ?? '').toLowerCase() };
}

/** Those whose handle, or a word of whose name, begins so; by handle first, then by name. */
export function peopleFor(query: string, people: readonly User[]): readonly User[] {
  const isHandle = ({ handle }: User): boolean => handle.startsWith(query);
  const isName = ({ display_name }: User): boolean => display_name.toLowerCase().split(/\s+/u).some((word) => word.startsWith(query));
  const byName = people.toSorted((a, b) => a.display_name.localeCompare(b.display_name));
  return [...byName.filter(isHandle), ...byName.filter((user) => !isHandle(user) && isName(user))].slice(0, MAX_OFFERED);
}

/** Whom the mention that is being written may name. */
export class MentionChoice {
  readonly #begun = signal<Begun | null>(null);
  readonly offered;
  /** Index of the one that Enter takes. */
  readonly at = signal(0);
  /** Where the mention begins that was declined. */
  #declined: number | null = null;

  /** `people` may read signals: what is offered follows them. */
  constructor(people: () => readonly User[]) {
    this.offered = computed(() => (this.#begun.value ? peopleFor(this.#begun.value.query, people()) : []));
  }

  get isOpen(): boolean {
    return this.offered.value.length > 0;
  }

  /** Whether there is nothing to choose: the one there is has been written out. */
  get isSettled(): boolean {
    const [only, ...others] = this.offered.peek();
    return only?.handle === this.#begun.peek()?.query && others.length === 0;
  }

  /** The text or the caret has changed. Tells whether a mention has begun. */
  look(text: string, caret: number): boolean {
    const begun = begunMention(text, caret);
    if (begun?.start !== this.#declined) this.#declined = null;
    this.at.value = 0;
    this.#begun.value = this.#declined === null ? begun : null;
    return this.#begun.value !== null;
  }

  move(step: 1 | -1): void {
    const count = this.offered.peek().length;
    if (count > 0) this.at.value = (this.at.peek() + step + count) % count;
  }

  /** For this mention no offer is wanted any more. */
  decline(): void {
    this.#declined = this.#begun.peek()?.start ?? null;
    this.#begun.value = null;
  }

  /** Nothing is being written any more. */
  close(): void {
    this.#declined = null;
    this.#begun.value = null;
  }

  /** The text with the mention written out, and where the caret goes. */
  take(user: User, text: string, caret: number): { text: string; caret: number } | null {
    const begun = this.#begun.peek();
    if (!begun) return null;
    this.#begun.value = null;
    const after = text.slice(caret);
    const before = `${text.slice(0, begun.start)}@${user.handle}${SEPARATED.test(after) ? '' : ' '}`;
    return { text: before + after, caret: before.length + (after.startsWith(' ') ? 1 : 0) };
  }
}
