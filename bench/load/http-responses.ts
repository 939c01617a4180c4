/** A response as the loader needs it: header fields are not kept. */
export interface HttpResponse {
  readonly status: number;
  readonly body: Buffer;
}

const END_OF_HEAD = Buffer.from('\r\n\r\n');
const EMPTY = Buffer.alloc(0);

/**
 * Reads the responses of one keep-alive HTTP/1.1 connection, as little as measuring needs: a body by `Content-Length` or in chunks, or
 * none. Throws at what it cannot read.
 */
export class HttpResponses {
  #rest: Buffer = EMPTY;

  /** Takes bytes, gives the responses that are complete with them. */
  push(bytes: Buffer): HttpResponse[] {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const responses: HttpResponse[] = [];
    for (let next = this.#next(); next !== null; next = this.#next()) responses.push(next);
    return responses;
  }

  #next(): HttpResponse | null {
    const headEnd = this.#rest.indexOf(END_OF_HEAD);
    if (headEnd === -1) return null;
    const head = this.#rest.toString('latin1', 0, headEnd);
    const status = readStatus(head);
    const found = readBody(this.#rest, headEnd + END_OF_HEAD.length, head, status);
    if (found === null) return null;
    this.#rest = this.#rest.subarray(found.end);
    return { status, body: found.body };
  }
}

function readStatus(head: string): number {
  const status = /^HTTP\/1\.1 (\d{3})/.exec(head)?.[1];
  if (status === undefined) throw new Error(`not a response: ${head.slice(0, 40)}`);
  return Number(status);
}

interface Found {
  readonly body: Buffer;
  readonly end: number;
}

function readBody(bytes: Buffer, start: number, head: string, status: number): Found | null {
  if (status === 204 || status === 304) return { body: EMPTY, end: start };
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length !== undefined) {
    const end = start + Number(length);
    return bytes.length < end ? null : { body: bytes.subarray(start, end), end };
  }
  if (/\r\ntransfer-encoding: *chunked/i.test(head)) return readChunks(bytes, start);
  throw new Error(`a response without a length: ${head}`);
}

function readChunks(bytes: Buffer, start: number): Found | null {
  const chunks: Buffer[] = [];
  for (let at = start; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd === -1) return null;
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    const [from, to] = [lineEnd + 2, lineEnd + 2 + size];
    if (bytes.length < to + 2) return null;
    if (size === 0) return { body: Buffer.concat(chunks), end: to + 2 };
    chunks.push(bytes.subarray(from, to));
    at = to + 2;
  }
}
