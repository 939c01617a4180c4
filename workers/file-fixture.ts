import { env } from 'cloudflare:workers';
import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test';
import { eq, sql } from 'drizzle-orm';
import { expect } from 'vitest';
import { fileUploads, fileUsage } from '../db/schema/file-tables.ts';
import { type FileState, fileSchema } from '../protocol/files.ts';
import { type Answer, bodyOf, type Caller, newCaller, onPostgres, ORIGIN } from './api-fixture.ts';
import { createApp } from './app.ts';
import type { Env } from './env.ts';
import { createServices } from './services.ts';

const app = createApp(createServices());

type Body = Uint8Array<ArrayBuffer> | ReadableStream | string;

/** A request to the Worker with other variables, whose work after the answer is waited for. */
export async function fetchWith(bindings: Partial<Env>, path: string, init: RequestInit = {}): Promise<Response> {
  const context = createExecutionContext();
  const response = await app.fetch(new Request(new URL(path, ORIGIN), init), { ...env, ...bindings }, context);
  const body = response.body === null ? null : await response.arrayBuffer();
  await waitOnExecutionContext(context);
  return new Response(body, response);
}

export interface UploadWish {
  readonly name?: string;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly bindings?: Partial<Env>;
}

const lengthOf = (body: Body): Record<string, string> => (body instanceof ReadableStream ? {} : { 'Content-Length': String(new TextEncoder().encode(String(body)).byteLength) });

export async function uploadFile({ token }: Caller, channelId: string, body: Body, { name = 'notes.txt', type = 'text/plain', headers = {}, bindings = {} }: UploadWish = {}): Promise<Answer> {
  const length = body instanceof Uint8Array ? { 'Content-Length': String(body.byteLength) } : lengthOf(body);
  const query = new URLSearchParams({ channel_id: channelId, name });
  const init = { method: 'POST', headers: { Authorization: `Bearer ${token}`, 'Content-Type': type, ...length, ...headers }, body };
  const response = await fetchWith(bindings, `/v1/files?${query}`, init);
  return { status: response.status, headers: response.headers, body: await response.json() };
}

export async function newFile(caller: Caller, channelId: string, body: Body = 'some text', wish: UploadWish = {}): Promise<FileState> {
  return bodyOf(await uploadFile(caller, channelId, body, wish), 201, fileSchema);
}

export const setStatus = (file: FileState, status: FileState['status'], thumbnails: FileState['thumbnails'] = []): Promise<unknown> =>
  onPostgres((db) => db.execute(sql`UPDATE files SET status = ${status}, thumbnails = ${JSON.stringify(thumbnails)}::text::jsonb WHERE id = ${file.id}`));

export const fileEventsOf = (fileId: string): Promise<readonly { readonly data: unknown }[]> =>
  onPostgres((db) => db.execute<{ data: unknown }>(sql`SELECT data FROM event_log WHERE topic = 'file.events' AND key = ${fileId} ORDER BY position`));

/** What the store has of a file, by its key. */
export const objectsOf = async (fileId: string): Promise<string[]> => (await env.FILES.list({ prefix: `files/${fileId}/` })).objects.map(({ key }) => key);

export const allObjects = async (): Promise<number> => (await env.FILES.list()).objects.length;

export async function usageOf(userId: string): Promise<number> {
  const [row] = await onPostgres((db) => db.select({ bytes: fileUsage.bytes }).from(fileUsage).where(eq(fileUsage.user_id, userId)));
  return row?.bytes ?? 0;
}

/** Uploads of a user that are noted, by whether they were given up. */
export const uploadsOf = (userId: string): Promise<{ id: string; abandoned: boolean }[]> =>
  onPostgres(async (db) => {
    const rows = await db.select({ id: fileUploads.id, abandoned_at: fileUploads.abandoned_at }).from(fileUploads).where(eq(fileUploads.user_id, userId));
    return rows.map(({ id, abandoned_at }) => ({ id, abandoned: abandoned_at !== null }));
  });

/** That an upload which failed has left nothing but its note. */
export async function expectNothingLeft(caller: Caller, objectsBefore: number): Promise<void> {
  expect(await allObjects()).toBe(objectsBefore);
  expect(await usageOf(caller.user.id)).toBe(0);
  expect((await uploadsOf(caller.user.id)).filter(({ abandoned }) => !abandoned)).toEqual([]);
}

/** The first bytes of a picture, and more. */
export const PNG = Uint8Array.from(atob('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='), (char) => char.charCodeAt(0));

/** A member of the channel besides its owner. */
export async function newMember(owner: Caller, channelId: string, role: 'member' | 'admin' = 'member'): Promise<Caller> {
  const member = await newCaller();
  expect((await owner.call('POST', `/v1/channels/${channelId}/members`, { user_id: member.user.id, role })).status).toBe(201);
  return member;
}

export const getFile = ({ token }: Caller, path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Response> =>
  fetchWith({}, path, { method, headers: { Authorization: `Bearer ${token}`, ...headers } });

/** Thumbnails of an image, as the fleet stores them; their content is their name. */
export async function addThumbnails(file: FileState, sizes: readonly number[]): Promise<void> {
  for (const size of sizes) await env.FILES.put(`files/${file.id}/thumbnails/${size}`, `${file.id} ${size}`);
  await setStatus(file, 'clean', sizes.map((size) => ({ size, width: size, height: size })));
}

/** Gives somebody a picture, of a file in the channel. */
export async function pictured(caller: Caller, channelId: string, sizes: readonly number[] = [160, 480]): Promise<FileState> {
  const file = await newFile(caller, channelId, PNG, { name: 'me.png', type: 'image/png' });
  await addThumbnails(file, sizes);
  expect((await caller.call('PUT', '/v1/me/avatar', { file_id: file.id })).status).toBe(200);
  return file;
}
