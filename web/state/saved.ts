import { computed, signal } from '@preact/signals';
import type { SavedMessage } from '../../protocol/api.ts';
import type { InboxEvent } from '../../protocol/inbox-events.ts';
import { type Loading, load } from './loading.ts';
import { attempt } from './notices.ts';
import { api } from './platform.ts';
import { closePanel, isShown, openPanel } from './side-panel.ts';
import { learnUsers } from './users.ts';

interface SavedList {
  /** The newest first, as far as it was read. */
  readonly data: readonly SavedMessage[];
  readonly cursor: string | null;
  readonly version: number;
}

const EMPTY: SavedList = { data: [], cursor: null, version: 0 };
export const saved = signal<SavedList>(EMPTY);
export const savedLoading = signal<Loading>({ name: 'idle' });
/** What was saved, or is no more, since the list was read: it may be before the page's eyes in a channel. */
const changes = signal<ReadonlyMap<string, boolean>>(new Map());
const listed = computed(() => new Set(saved.value.data.map(({ message }) => message.id)));

/** Whether a message is saved, as far as the list was read; saving one again changes nothing. */
export const isSaved = (messageId: string): boolean => changes.value.get(messageId) ?? listed.value.has(messageId);

/** Reads the newest of the list anew. */
export async function readSaved(): Promise<void> {
  await load(savedLoading, async () => {
    const { data, version, next_cursor: cursor, users } = await api.saved();
    learnUsers(users);
    if (version < saved.peek().version) return;
    changes.value = new Map();
    saved.value = { data, cursor, version };
  });
}

export async function moreSaved(): Promise<void> {
  const { data, cursor } = saved.peek();
  if (cursor === null) return;
  await load(savedLoading, async () => {
    const page = await api.saved(cursor);
    learnUsers(page.users);
    // Another reading may have begun anew meanwhile.
    if (saved.peek().cursor === cursor) saved.value = { data: [...data, ...page.data], cursor: page.next_cursor, version: page.version };
  });
}

export function forgetSaved(): void {
  saved.value = EMPTY;
  changes.value = new Map();
}

/** To be called with what the inbox tells: another device, or this one, has changed the list. */
export function savedTold(events: readonly InboxEvent[]): void {
  const told = events.filter((event) => event.type === 'saved.changed');
  if (told.length === 0) return;
  changes.value = new Map([...changes.peek(), ...told.map((event): [string, boolean] => [event.message_id, event.saved])]);
  if (isShown('saved')) void readSaved();
}

/** Saves it for later, or no more. */
export async function toggleSaved(messageId: string): Promise<void> {
  const wanted = !isSaved(messageId);
  await attempt(wanted ? 'save the message' : 'take it from the saved ones', async () => {
    await (wanted ? api.save(messageId) : api.unsave(messageId));
    changes.value = new Map(changes.peek()).set(messageId, wanted);
    if (isShown('saved')) await readSaved();
  });
}

export function toggleSavedPanel(): void {
  if (isShown('saved')) return closePanel();
  openPanel('saved');
  void readSaved();
}
