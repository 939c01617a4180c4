import { computed, effect, signal } from '@preact/signals';
import type { SearchPage } from '../../protocol/api.ts';
import { isSearchable, parseQuery } from '../../protocol/search-query.ts';
import { navigate } from './location.ts';
import { reveal } from './account.ts';
import { attempt } from './notices.ts';
import { api } from './platform.ts';
import { reasonOf } from './reason.ts';
import { closePanel, openPanel } from './side-panel.ts';
import { learnUsers } from './users.ts';

const DEBOUNCE_MS = 250;

export type SearchHit = SearchPage['data'][number];
export type SearchState =
  | { readonly name: 'idle' }
  | { readonly name: 'searching' }
  | { readonly name: 'found'; readonly hits: readonly SearchHit[]; readonly nextCursor: string | null }
  | { readonly name: 'failed'; readonly reason: string };

/** How often the search was asked for: each time its field takes the focus. */
export const searchAsked = signal(0);
export const query = signal('');
/** What of the query is not understood, as long as it is typed; a word that is not finished yet is no matter. */
export const queryHints = computed(() => (/\s$/u.test(query.value) ? parseQuery(query.value).hints : []));
export const results = signal<SearchState>({ name: 'idle' });
let running = new AbortController();

export function openSearch(): void {
  openPanel('search');
  searchAsked.value += 1;
}

/** Searches a moment after the last change of the query; an answer to an older query is dropped. */
export function watchSearch(): void {
  effect(() => {
    const q = query.value.trim();
    running.abort();
    running = new AbortController();
    const { signal: stop } = running;
    const isAsked = isSearchable(parseQuery(q));
    if (!isAsked) results.value = { name: 'idle' };
    const timer = setTimeout(() => void (isAsked && search(q, stop)), DEBOUNCE_MS);
    return () => clearTimeout(timer);
  });
}

export async function searchMore(): Promise<void> {
  const found = results.peek();
  if (found.name !== 'found' || found.nextCursor === null) return;
  await search(query.peek().trim(), running.signal, found);
}

/** Shows a message where it was said: in the channel, and in its thread if it is a reply. */
export async function goTo(message: Pick<SearchHit['message'], 'id' | 'channel_id' | 'thread_id'>): Promise<void> {
  await attempt('show the message', async () => {
    const store = await reveal(message.channel_id);
    if (!store) throw new Error('you are not a member of its channel any more');
    navigate({ channelId: message.channel_id, threadId: message.thread_id });
    // On phones the list that leads there covers everything.
    if (matchMedia('(max-width: 720px)').matches) closePanel();
    await store.jumpTo(message.thread_id ?? message.id);
  });
}

async function search(q: string, stop: AbortSignal, before?: Extract<SearchState, { name: 'found' }>): Promise<void> {
  if (!before) results.value = { name: 'searching' };
  try {
    const page = await api.search({ q, ...(before?.nextCursor && { cursor: before.nextCursor }) }, stop);
    if (stop.aborted) return;
    learnUsers(page.users);
    results.value = { name: 'found', hits: [...(before?.hits ?? []), ...page.data], nextCursor: page.next_cursor };
  } catch (error) {
    if (!stop.aborted) results.value = { name: 'failed', reason: reasonOf(error) };
  }
}
