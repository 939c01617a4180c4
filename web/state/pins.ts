import { signal } from '@preact/signals';
import type { Message } from '../../protocol/api.ts';
import type { ChannelEvent } from '../../protocol/events.ts';
import { type Loading, load } from './loading.ts';
import { api } from './platform.ts';
import { learnUsers } from './users.ts';

/** How long the list waits for Postgres to have what was heard already, and how often. */
const AGAIN_MS = 400;
const MAX_READINGS = 10;

/** The pinned messages of a channel, while somebody looks at them: read once, and again where something is pinned. */
export class PinList {
  readonly data = signal<readonly Message[]>([]);
  readonly loading = signal<Loading>({ name: 'idle' });
  readonly #channelId: string;
  /** Which messages are not pinned any more, by the `seq` of the event that says so. */
  readonly #gone = new Map<string, number>();
  #heard = 0;
  #isClosed = false;

  constructor(channelId: string) {
    this.#channelId = channelId;
  }

  open(): Promise<void> {
    this.#isClosed = false;
    return load(this.loading, () => this.#read());
  }

  close(): void {
    this.#isClosed = true;
  }

  apply(events: readonly ChannelEvent[]): void {
    if (this.#isClosed) return;
    for (const event of events) {
      if (event.type === 'message.unpinned' || event.type === 'message.deleted') {
        this.#gone.set(event.message_id, event.seq);
        this.data.value = this.data.peek().filter(({ id }) => id !== event.message_id);
      } else if (event.type === 'message.edited') {
        this.data.value = this.data.peek().map((message) => (message.id === event.message_id ? { ...message, text: event.text } : message));
      }
    }
    const pinned = events.findLast(({ type }) => type === 'message.pinned');
    if (!pinned) return;
    this.#heard = pinned.seq;
    void this.open();
  }

  /** What was heard may not be in Postgres yet: the page says as of when it is. */
  async #read(): Promise<void> {
    for (let readings = 1; !this.#isClosed; readings++) {
      const { data, asOf } = await this.#readAll();
      this.data.value = data.filter(({ id }) => (this.#gone.get(id) ?? 0) <= asOf);
      if (asOf >= this.#heard || readings === MAX_READINGS) return;
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }

  /** A channel has few: all of them are read. */
  async #readAll(): Promise<{ readonly data: readonly Message[]; readonly asOf: number }> {
    const data: Message[] = [];
    let asOf = Infinity;
    let cursor: string | undefined;
    do {
      const page = await api.pins(this.#channelId, cursor);
      learnUsers(page.users);
      data.push(...page.data);
      asOf = Math.min(asOf, page.as_of_seq);
      cursor = page.next_cursor ?? undefined;
    } while (cursor !== undefined);
    return { data, asOf };
  }
}
