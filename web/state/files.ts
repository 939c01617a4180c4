import { type Signal, signal } from '@preact/signals';
import { retrying } from '../../client/backoff.ts';
import type { Message } from '../../protocol/api.ts';
import type { ChannelEvent } from '../../protocol/events.ts';
import type { FileState } from '../../protocol/files.ts';
import { api, ports } from './platform.ts';

/** What is known of a file; `unknown` as long as nothing is, `gone` once it is deleted, or never was the caller's to see. */
export type KnownFile = FileState | 'unknown' | 'gone';

const known = new Map<string, Signal<KnownFile>>();

/** One that no message has brought along is asked for once. */
export function file(id: string): Signal<KnownFile> {
  const found = known.get(id);
  if (found) return found;
  const created = signal<KnownFile>('unknown');
  known.set(id, created);
  setTimeout(() => created.peek() === 'unknown' && void fetchFile(id, created));
  return created;
}

export function learnFile(state: FileState): void {
  const found = known.get(state.id);
  // What an event has told since is newer than a page that was read before it.
  if (found === undefined) known.set(state.id, signal<KnownFile>(state));
  else if (found.peek() === 'unknown') found.value = state;
}

/** The files of a message that are really its author's: what a message names is their word alone. */
export function filesOf({ author_id, channel_id, file_ids = [], files = [] }: Message): { readonly id: string; readonly file: KnownFile }[] {
  for (const one of files) learnFile(one);
  return file_ids.map((id) => ({ id, file: file(id).value })).filter(({ file: one }) => typeof one === 'string' || (one.uploader_id === author_id && one.channel_id === channel_id));
}

export function applyFileEvents(events: readonly ChannelEvent[]): void {
  for (const event of events) {
    const found = event.type === 'file.changed' ? known.get(event.file_id) : undefined;
    if (!found || event.type !== 'file.changed') continue;
    const before = found.peek();
    if (event.status === 'deleted') found.value = 'gone';
    else if (typeof before !== 'string') found.value = { ...before, status: event.status, thumbnails: event.thumbnails };
  }
}

async function fetchFile(id: string, into: Signal<KnownFile>): Promise<void> {
  try {
    into.value = await retrying(() => api.file(id), ports);
  } catch {
    into.value = 'gone';
  }
}

const UNITS = ['bytes', 'KB', 'MB', 'GB'] as const;

/** A size for people: `1.4 MB`. */
export function sizeInWords(bytes: number): string {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log(Math.max(1, bytes)) / Math.log(1_000)));
  const number = bytes / 1_000 ** power;
  return `${power === 0 || number >= 100 ? Math.round(number) : number.toFixed(1)} ${UNITS[power] ?? 'bytes'}`;
}
