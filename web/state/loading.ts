import { type Signal } from '@preact/signals';
import { reasonOf } from './reason.ts';

/** How the reading of a list stands: `failed` says why in words. */
export type Loading = { readonly name: 'idle' | 'loading' } | { readonly name: 'failed'; readonly reason: string };

/** Reads, and says in `loading` how that stands; of several readings at once the last one has the say. */
export async function load(loading: Signal<Loading>, read: () => Promise<void>): Promise<void> {
  const begun: Loading = { name: 'loading' };
  loading.value = begun;
  const end = (state: Loading) => {
    if (loading.peek() === begun) loading.value = state;
  };
  await read().then(
    () => end({ name: 'idle' }),
    (error: unknown) => end(failed(error)),
  );
}

export const failed = (error: unknown): Loading => ({ name: 'failed', reason: reasonOf(error) });
