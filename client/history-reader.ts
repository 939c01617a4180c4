import type { MessagePage, User } from '../protocol/api.ts';
import { backoffMs, delay, retrying } from './backoff.ts';
import { type PagePlace, applyEntry, applyPage } from './channel-state.ts';
import { type ChannelState, windowOf } from './channel-window.ts';
import type { Api, PageQuery } from './http.ts';
import type { Clock, Random } from './ports.ts';

interface Options {
  readonly me: string;
  readonly api: Api;
  readonly clock: Clock;
  readonly random: Random;
  readonly state: () => ChannelState;
  readonly setState: (state: ChannelState) => void;
  readonly usersSeen: (users: readonly User[]) => void;
  readonly failed: (error: unknown) => void;
}

/** Reads pages of a channel's history into its state. */
export class HistoryReader {
  readonly #options: Options;
  /** The newest load that replaces a window, by root. */
  readonly #replacing = new Map<string | null, symbol>();
  #stopped = false;

  constructor(options: Options) {
    this.#options = options;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** A page that arrives after its window was replaced is let go. */
  async load(rootId: string | null, place: PagePlace, query: PageQuery): Promise<void> {
    const { api, state, me, usersSeen } = this.#options;
    const { channelId } = state();
    const load = Symbol();
    if (place === 'replace') this.#replacing.set(rootId, load);
    const edge = () => (place === 'older' ? windowOf(state(), rootId)?.before : windowOf(state(), rootId)?.after);
    const cursor = edge();
    const isCurrent = () => (place === 'replace' ? this.#replacing.get(rootId) === load : edge() === cursor);
    const read = (): Promise<MessagePage> => (rootId === null ? api.history(channelId, query) : api.replies(channelId, rootId, query));
    await this.#fresh(read, (page) => {
      usersSeen(page.users);
      return isCurrent() ? applyPage(state(), page, rootId, place, me) : state();
    });
  }

  /** Reads the counters and these windows again. */
  async reload(windows: readonly (string | null)[]): Promise<void> {
    const { failed } = this.#options;
    await Promise.all([this.#loadEntry().catch(failed), ...windows.map((rootId) => this.load(rootId, 'replace', {}).catch(failed))]);
  }

  async #loadEntry(): Promise<void> {
    const { api, state } = this.#options;
    const { channelId } = state();
    await this.#fresh(api.bootstrap, ({ channels }) => {
      const entry = channels.find(({ id }) => id === channelId);
      return entry ? applyEntry(state(), entry) : state();
    });
  }

  /** Reads until the snapshot is recent enough to be applied: a replica, or the drain, may be behind the socket for a moment. */
  async #fresh<T>(read: () => Promise<T>, apply: (snapshot: T) => ChannelState | null): Promise<void> {
    for (let attempt = 0; !this.#stopped; attempt += 1) {
      const snapshot = await retrying(read, this.#options);
      const next = this.#stopped ? this.#options.state() : apply(snapshot);
      if (next) return this.#options.setState(next);
      await delay(this.#options.clock, backoffMs('jitter', attempt, this.#options.random));
    }
  }
}
