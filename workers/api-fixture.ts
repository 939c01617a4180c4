import { Buffer } from 'node:buffer';
import { connect as openTcp } from 'cloudflare:sockets';
import { env, exports } from 'cloudflare:workers';
import { sql } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import { expect, vi } from 'vitest';
import type { z } from 'zod';
import { connect, type Database } from '../db/client.ts';
import { DriverSocket } from '../db/driver-socket.ts';
import { insertCredential, type NewCredential } from '../db/queries/credentials.ts';
import { users } from '../db/schema/tables.ts';
import { channelSchema, type Channel, type User } from '../protocol/api.ts';
import { problemSchema, type ErrorCode } from '../protocol/errors.ts';
import { commandResultSchema, type CommandResult } from '../protocol/frames.ts';
import { SESSION_SCOPES } from '../protocol/scopes.ts';
import { hashSecret } from './identity/secret.ts';

/** Where the Worker under test believes to be. */
export const ORIGIN = 'https://colink.example';

/** Work on the Worker's own database, beside the API. */
export async function onPostgres<T>(work: (db: Database) => Promise<T>): Promise<T> {
  const openSocket = (address: SocketAddress) => new DriverSocket(openTcp(address), (bytes) => Buffer.from(bytes));
  const connection = connect(env.POSTGRES.connectionString, { max: 1, applicationName: 'colink-test', openSocket });
  try {
    return await work(connection.db);
  } finally {
    await connection.close(1);
  }
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

export async function fetchApi(path: string, init: RequestInit = {}): Promise<Answer> {
  const response = await exports.default.fetch(new Request(new URL(path, ORIGIN), { redirect: 'manual', ...init }));
  const text = await response.text();
  const isJson = /\bjson\b/.test(response.headers.get('content-type') ?? '');
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
}

export interface Caller {
  readonly user: User;
  readonly token: string;
  readonly credentialId: string;
  /** A request in this caller's name; `body` goes as JSON. */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
}

type Wishes = Partial<Pick<NewCredential, 'kind' | 'scopes' | 'expires_at'> & { role: User['role'] }>;

export async function newCaller(wishes: Wishes = {}): Promise<Caller> {
  const id = uuidv7();
  const user = { id, handle: `u-${id}`, display_name: `User ${id.slice(-4)}`, role: wishes.role ?? 'member', avatar: null };
  await onPostgres((db) => db.insert(users).values({ ...user, issuer: 'https://id.example', subject: id }));
  return newToken(user, wishes);
}

export async function newToken(user: User, { kind = 'personal', scopes = SESSION_SCOPES, expires_at = new Date(Date.now() + 3_600_000) }: Wishes = {}): Promise<Caller> {
  const token = `colink_pat_${btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32)))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')}`;
  const credentialId = uuidv7();
  const credential = { id: credentialId, secret_hash: await hashSecret(token), kind, user_id: user.id, name: 'test', scopes, expires_at };
  await onPostgres((db) => insertCredential(db, credential));
  return { user, token, credentialId, call: (method, path, body, headers) => fetchApi(path, requestOf(token, method, body, headers)) };
}

function requestOf(token: string, method: string, body: unknown, headers: Record<string, string> = {}): RequestInit {
  const given = { Authorization: `Bearer ${token}`, ...(body !== undefined && { 'Content-Type': 'application/json' }), ...headers };
  return { method, headers: given, ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }) };
}

/** The body of an answer of this status, by its schema. */
export function bodyOf<T>(answer: Answer, status: number, schema: z.ZodType<T>): T {
  expect({ status: answer.status, body: answer.body }).toMatchObject({ status });
  return schema.parse(answer.body);
}

/** That an answer is a problem document, whole and of this code. */
export function expectProblem(answer: Answer, code: ErrorCode): void {
  expect(answer.body).toMatchObject({ code });
  const problem = problemSchema.parse(answer.body);
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
  expect(problem).toMatchObject({ status: answer.status, type: `urn:colink:problem:${code}`, request_id: answer.headers.get('x-request-id') });
  expect(JSON.stringify(problem)).not.toMatch(/\bat \S+:\d+|node_modules|postgres:\/\//);
}

export async function newChannel(owner: Caller, kind: 'public' | 'private' = 'public'): Promise<Channel> {
  const made = await owner.call('POST', '/v1/channels', { name: `c-${uuidv7()}`, kind });
  return bodyOf(made, 201, channelSchema);
}

export async function send(author: Caller, channelId: string, text: string, more: object = {}): Promise<CommandResult> {
  const sent = await author.call('POST', `/v1/channels/${channelId}/messages`, { client_msg_id: uuidv7(), text, ...more });
  return bodyOf(sent, 201, commandResultSchema);
}

/** Waits until Postgres has the channel's events up to `seq`. */
export async function drained(channelId: string, seq: number): Promise<void> {
  await vi.waitFor(async () => {
    const [row] = await onPostgres((db) => db.execute<{ drained_seq: string }>(sql`SELECT drained_seq FROM conversation_logs WHERE channel_id = ${channelId}`));
    expect(Number(row?.drained_seq)).toBeGreaterThanOrEqual(seq);
  }, { timeout: 10_000, interval: 50 });
}
