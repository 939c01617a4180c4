import { signal } from '@preact/signals';
import { randomId } from '../../client/ports.ts';
import type { FileState } from '../../protocol/files.ts';
import { learnFile } from './files.ts';

/** A file on its way up, for the message that is being written. `sent`: the share that has gone, 0 to 1. */
export interface Upload {
  readonly key: string;
  readonly name: string;
  readonly state: { readonly name: 'running'; readonly sent: number } | { readonly name: 'done'; readonly file: FileState } | { readonly name: 'failed'; readonly why: string };
}

/** The uploads of one composer. */
export class Uploads {
  readonly all = signal<readonly Upload[]>([]);
  readonly #channelId: string;
  readonly #requests = new Map<string, XMLHttpRequest>();

  constructor(channelId: string) {
    this.#channelId = channelId;
  }

  get isRunning(): boolean {
    return this.all.value.some(({ state }) => state.name === 'running');
  }

  get files(): readonly FileState[] {
    return this.all.value.flatMap(({ state }) => (state.name === 'done' ? [state.file] : []));
  }

  /** `fetch` tells nobody how far an upload is, so this is the older way. */
  start(content: File): void {
    const key = randomId();
    this.all.value = [...this.all.peek(), { key, name: content.name, state: { name: 'running', sent: 0 } }];
    const request = new XMLHttpRequest();
    this.#requests.set(key, request);
    request.upload.addEventListener('progress', ({ loaded, total }) => this.#set(key, { name: 'running', sent: total === 0 ? 0 : loaded / total }));
    request.addEventListener('load', () => this.#loaded(key, request));
    request.addEventListener('error', () => this.#set(key, { name: 'failed', why: 'the connection broke off' }));
    request.open('POST', `/v1/files?${new URLSearchParams({ channel_id: this.#channelId, name: content.name })}`);
    request.setRequestHeader('Content-Type', content.type || 'application/octet-stream');
    request.setRequestHeader('Idempotency-Key', key);
    request.responseType = 'json';
    request.send(content);
  }

  remove(key: string): void {
    this.#requests.get(key)?.abort();
    this.#requests.delete(key);
    this.all.value = this.all.peek().filter((upload) => upload.key !== key);
  }

  clear(): void {
    for (const { key } of this.all.peek()) this.remove(key);
  }

  #loaded(key: string, { status, response }: XMLHttpRequest): void {
    if (status !== 201) return this.#set(key, { name: 'failed', why: response?.errors?.[0]?.detail ?? response?.detail ?? response?.title ?? `the server answered ${status}` });
    learnFile(response);
    this.#set(key, { name: 'done', file: response });
  }

  #set(key: string, state: Upload['state']): void {
    this.all.value = this.all.peek().map((upload) => (upload.key === key ? { ...upload, state } : upload));
  }
}
