import { signal } from '@preact/signals';
import { MAX_PRESENCE_LIST } from '../../protocol/limits.ts';
import type { Member, User } from '../../protocol/api.ts';
import type { ChannelEvent, MemberRole } from '../../protocol/events.ts';
import { type Loading, load } from './loading.ts';

/** Most members that are listed; of further ones the page says that there are more. */
export const MAX_LISTED = 1_000;

type MembershipEvent = Extract<ChannelEvent, { type: 'member.added' | 'member.removed' }>;

interface Page {
  readonly data: readonly Member[];
  readonly next_cursor: string | null;
}

/** The members of a channel by role: read when someone looks, kept current by the channel's events from then on. */
export class MemberList {
  readonly roles = signal<ReadonlyMap<string, MemberRole>>(new Map());
  /** Where the list goes on; null: it is whole; undefined: nothing has been read. */
  readonly cursor = signal<string | null | undefined>(undefined);
  readonly loading = signal<Loading>({ name: 'idle' });
  readonly #read: (cursor?: string) => Promise<Page>;
  readonly #seen: (users: readonly User[]) => void;
  /** What happened while a page was on its way: the page may be older. */
  #meanwhile: readonly MembershipEvent[] = [];
  #readings = 0;

  constructor(read: (cursor?: string) => Promise<Page>, seen: (users: readonly User[]) => void) {
    this.#read = read;
    this.#seen = seen;
  }

  /** Reads as many as presence is told of by name, where nothing has been read. */
  async open(): Promise<void> {
    if (this.cursor.peek() !== undefined || this.loading.peek().name === 'loading') return;
    await this.#load(async (isCurrent) => {
      do await this.#readPage(isCurrent);
      while (isCurrent() && this.cursor.peek() && this.roles.peek().size < MAX_PRESENCE_LIST);
    });
  }

  async more(): Promise<void> {
    if (this.loading.peek().name === 'loading' || this.roles.peek().size >= MAX_LISTED) return;
    await this.#load((isCurrent) => this.#readPage(isCurrent));
  }

  apply(events: readonly ChannelEvent[]): void {
    const changes = events.filter(isMembership);
    if (this.loading.peek().name === 'loading') this.#meanwhile = [...this.#meanwhile, ...changes];
    if (this.cursor.peek() !== undefined) this.roles.value = applied(this.roles.peek(), changes);
  }

  /** Events were missed: the list is void, and what is on its way as well. */
  forget(): void {
    this.#readings += 1;
    this.#meanwhile = [];
    this.roles.value = new Map();
    this.cursor.value = undefined;
    this.loading.value = { name: 'idle' };
  }

  async #load(read: (isCurrent: () => boolean) => Promise<void>): Promise<void> {
    this.#readings += 1;
    const reading = this.#readings;
    await load(this.loading, () => read(() => reading === this.#readings));
    if (reading === this.#readings) this.#meanwhile = [];
  }

  async #readPage(isCurrent: () => boolean): Promise<void> {
    const page = await this.#read(this.cursor.peek() ?? undefined);
    if (!isCurrent()) return;
    this.#seen(page.data.map(({ user }) => user));
    const joined = new Map([...this.roles.peek(), ...page.data.map(({ user, role }): [string, MemberRole] => [user.id, role])]);
    this.roles.value = applied(joined, this.#meanwhile);
    this.cursor.value = page.next_cursor;
  }
}

function isMembership(event: ChannelEvent): event is MembershipEvent {
  return event.type === 'member.added' || event.type === 'member.removed';
}

function applied(roles: ReadonlyMap<string, MemberRole>, changes: readonly MembershipEvent[]): ReadonlyMap<string, MemberRole> {
  if (changes.length === 0 && roles.size <= MAX_LISTED) return roles;
  const after = new Map(roles);
  for (const event of changes) {
    if (event.type === 'member.added') after.set(event.user_id, event.role);
    else after.delete(event.user_id);
  }
  return new Map([...after].slice(0, MAX_LISTED));
}
