import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { uuidv7 } from 'uuidv7';
import type { Sql } from '../../db/client.ts';
import type { FileEvent } from '../../protocol/file-events.ts';
import type { FileStatus, Thumbnail } from '../../protocol/files.ts';
import { ceType } from '../../protocol/topics.ts';
import type { WorkerAddress } from '../../consumers/worker-calls.ts';

const TOKEN = 'fleet-token';

/** The routes of the Worker by which the fleet reaches contents, over maps: `tests/scanned-files.e2e.test.ts` runs against the real ones. */
export class ContentServer {
  readonly contents = new Map<string, Buffer>();
  /** By file and size: the bytes, and how often they were put. */
  readonly thumbnails = new Map<string, { bytes: Buffer; puts: number }>();
  /** How often each file was read. */
  readonly reads = new Map<string, number>();
  /** Requests that are being answered, and the most there were at once. */
  open = 0;
  mostOpen = 0;
  /** Told of every request before it is answered; what it says instead of 200 is the answer. */
  before: (request: { readonly method: string; readonly fileId: string }) => Promise<number | void> = async () => {};
  readonly #server: Server;

  static async start(): Promise<ContentServer> {
    const content = new ContentServer();
    content.#server.listen(0, '127.0.0.1');
    await once(content.#server, 'listening');
    return content;
  }

  private constructor() {
    this.#server = createServer((request, response) => {
      this.open += 1;
      this.mostOpen = Math.max(this.mostOpen, this.open);
      response.once('close', () => (this.open -= 1));
      this.#answer(request, response).catch(() => response.destroy());
    });
  }

  get address(): WorkerAddress {
    return { url: `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`, token: TOKEN };
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '' } = request;
    const [, fileId = '', size] = /^\/internal\/files\/([0-9a-f-]{36})\/(?:content|thumbnails\/(\d+))$/.exec(url) ?? [];
    if (request.headers.authorization !== `Bearer ${TOKEN}`) return void response.writeHead(404).end();
    const status = await this.before({ method, fileId });
    if (status !== undefined) return void response.writeHead(status).end();
    if (method === 'PUT' && size !== undefined) return this.#put(`${fileId}/${size}`, request, response);
    const bytes = this.contents.get(fileId);
    this.reads.set(fileId, (this.reads.get(fileId) ?? 0) + 1);
    if (bytes === undefined) response.writeHead(404).end();
    else response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(bytes);
  }

  async #put(name: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const bytes = await buffer(request);
    if (request.headers['content-type'] !== 'image/webp') return void response.writeHead(415).end();
    this.thumbnails.set(name, { bytes, puts: (this.thumbnails.get(name)?.puts ?? 0) + 1 });
    response.writeHead(204).end();
  }
}

export interface Uploader {
  readonly channelId: string;
  readonly userId: string;
}

/** A file that was uploaded, with its content in `server` and its event in the log: as the Worker leaves it. Its id. */
export async function upload(sql: Sql, server: ContentServer, { channelId, userId }: Uploader, content: Buffer | string, media_type = 'application/octet-stream'): Promise<string> {
  const bytes = Buffer.from(content);
  const [id, event_id, at] = [uuidv7(), uuidv7(), new Date().toISOString()];
  server.contents.set(id, bytes);
  const file = {
    id, channel_id: channelId, uploader_id: userId, name: 'a file', media_type, size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex'),
    status: 'pending_scan' as const, thumbnails: [], created_at: at,
  };
  const event: FileEvent = { type: 'file.uploaded', id: event_id, at, actor_id: userId, version: 1, file };
  await sql.begin(async (tx) => {
    await tx`INSERT INTO files (id, channel_id, uploader_id, name, media_type, size, sha256, created_at)
      VALUES (${id}, ${channelId}, ${userId}, ${file.name}, ${media_type}, ${file.size}, ${file.sha256}, ${at}::timestamptz)`;
    await tx`INSERT INTO event_log (topic, key, event_id, type, data) VALUES ('file.events', ${id}, ${event_id}, ${ceType('file.uploaded')}, ${JSON.stringify(event)}::text::jsonb)`;
  });
  return id;
}

export interface StoredFile {
  readonly status: FileStatus;
  readonly thumbnails: readonly Thumbnail[];
  readonly version: number;
}

export async function storedFile(sql: Sql, id: string): Promise<StoredFile | undefined> {
  const [row] = await sql<StoredFile[]>`SELECT f.status, f.thumbnails, f.version FROM files f WHERE f.id = ${id}`;
  return row;
}

/** The events of a file in the order of the log, without its upload. */
export async function eventsOf(sql: Sql, id: string): Promise<unknown[]> {
  const rows = await sql<{ data: unknown }[]>`
    SELECT e.data FROM event_log e WHERE e.topic = 'file.events' AND e.key = ${id} AND e.type <> ${ceType('file.uploaded')} ORDER BY e.position`;
  return rows.map(({ data }) => data);
}

export interface StoredScan {
  readonly state: string;
  readonly attempts: number;
  readonly failure: string | null;
  readonly signature: string | null;
  readonly lease: string | null;
}

export async function storedScan(sql: Sql, id: string): Promise<StoredScan | undefined> {
  const [row] = await sql<StoredScan[]>`SELECT s.state, s.attempts, s.failure, s.signature, s.lease FROM file_scans s WHERE s.file_id = ${id}`;
  return row;
}
