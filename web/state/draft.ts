import { signal } from '@preact/signals';
import { NetworkError, ProblemError } from '../../client/errors.ts';
import type { Draft as StoredDraft } from '../../protocol/drafts.ts';
import { MAX_TEXT } from '../../protocol/limits.ts';
import { mergeDrafts } from './draft-text.ts';
import { api } from './platform.ts';

/** How long nothing is written before a draft is saved. */
const SAVE_AFTER_MS = 700;
const RETRY_AFTER_MS = 10_000;
/** How often a draft is put together anew with what another device saves, before it waits for the next key. */
const MAX_TRIES = 5;
/** A draft that changed is among the newest. */
const NEWEST = 100;

/** What is being written to a channel, or in a thread of it: at once here, soon after on the server, for the other devices. */
export class Draft {
  readonly text = signal('');
  readonly #channelId: string;
  readonly #rootId: string | null;
  /** As the server has it, as far as is known. */
  #base: StoredDraft | null = null;
  #saving: Promise<void> | null = null;
  /** Something was heard of it that has not been read. */
  #isStale = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(channelId: string, rootId: string | null) {
    this.#channelId = channelId;
    this.#rootId = rootId;
  }

  write(text: string): void {
    this.text.value = text;
    if (text.trim() === '') void this.flush();
    else this.#saveAfter(SAVE_AFTER_MS);
  }

  /** Saves at once what is not saved; never rejects. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#saving ??= this.#save().finally(() => (this.#saving = null));
    return this.#saving;
  }

  /** It was saved at this version, or the one of this version was deleted, here or elsewhere. */
  hear(version: number, isDeleted: boolean): void {
    if (isDeleted ? this.#base === null : version <= (this.#base?.version ?? 0)) return;
    this.#isStale = true;
    void this.flush();
  }

  /** As the server has it now. */
  learn(stored: StoredDraft | null): void {
    if (stored && stored.version <= (this.#base?.version ?? 0)) return;
    const base = this.#base?.text ?? '';
    this.#base = stored;
    this.text.value = mergeDrafts(this.text.peek(), stored?.text ?? '', base);
    if (this.#isDirty()) this.#saveAfter(SAVE_AFTER_MS);
  }

  #isDirty(): boolean {
    const text = this.text.peek();
    return text.trim() === '' ? this.#base !== null : text !== this.#base?.text && text.length <= MAX_TEXT;
  }

  #saveAfter(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.flush(), ms);
  }

  async #save(): Promise<void> {
    // What is written while it is saved is saved next.
    for (let tries = 0; tries < MAX_TRIES && (this.#isStale || this.#isDirty()); tries++) {
      try {
        await (this.#isStale ? this.#read() : this.#put(this.text.peek()));
      } catch (error) {
        // Another device was faster.
        if (error instanceof ProblemError && error.code === 'precondition_failed') this.#isStale = true;
        else {
          if (error instanceof NetworkError) this.#saveAfter(RETRY_AFTER_MS);
          return;
        }
      }
    }
  }

  async #put(text: string): Promise<void> {
    const base = this.#base;
    if (text.trim() !== '') {
      const files = base && base.file_ids.length > 0 ? { file_ids: base.file_ids } : {};
      this.#base = { ...(await api.saveDraft(this.#channelId, this.#rootId, { text, ...files }, base?.version ?? 0)), text };
    } else if (base) {
      await api.deleteDraft(this.#channelId, this.#rootId, base.version);
      this.#base = null;
    }
  }

  async #read(): Promise<void> {
    this.#isStale = false;
    const { data } = await api.drafts({ limit: NEWEST });
    this.learn(data.find(({ channel_id, thread_id }) => channel_id === this.#channelId && thread_id === this.#rootId) ?? null);
  }
}
