import { createServer, type Server, type ServerResponse } from 'node:http';
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NO_COUNTS, NO_EXPORT_HASH } from '../../protocol/export.ts';
import { runExport } from './run.ts';

const user = (n: number): string => `${JSON.stringify({ section: 'user', data: { id: String(n) } })}\n`;
const HEAD = `${JSON.stringify({ section: 'export', format: 'colink.export.v1', export_id: '01990000-0000-7000-8000-000000000001', started_at: '2026-11-26T12:00:00.000Z', include_private: false })}\n`;

/** An export of four pages of two users each, as the API would send it. */
const PAGES = (() => {
  let sha256 = NO_EXPORT_HASH;
  return [0, 1, 2, 3].map((n) => {
    const lines = (n === 0 ? HEAD : '') + user(2 * n) + user(2 * n + 1);
    sha256 = createHash('sha256').update(sha256 + lines).digest('hex');
    const told = { counts: { ...NO_COUNTS, user: 2 * n + 2 }, sha256 };
    return `${lines}${JSON.stringify(n === 3 ? { section: 'end', ...told } : { section: 'checkpoint', cursor: `page-${n + 1}`, ...told })}\n`;
  });
})();
const WHOLE = PAGES.join('');

let server: Server;
let to: string;
let folder: string;
let asked: string[];
let answer: (after: number, response: ServerResponse) => void;
const sendAll = (after: number, response: ServerResponse): void => void response.end(PAGES.slice(after).join(''));

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'colink-export-'));
  [to, asked, answer] = [join(folder, 'export.jsonl'), [], sendAll];
  server = createServer((request, response) => {
    const { searchParams } = new URL(request.url ?? '', 'http://x');
    asked.push(searchParams.get('after') ?? searchParams.get('include') ?? 'start');
    answer(Number(searchParams.get('after')?.slice(5) ?? 0), response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true, force: true });
});

const run = (includePrivate = false) => {
  const { port } = server.address() as AddressInfo;
  return runExport({ url: `http://127.0.0.1:${port}`, token: 't', to, includePrivate, note: () => {}, random: () => 0 });
};
const written = () => readFile(to, 'utf8');

describe('an export into a file', () => {
  it('is what was sent', async () => {
    expect((await run(true)).counts.user).toBe(8);
    expect([await written(), asked]).toEqual([WHOLE, ['private']]);
  });

  it('that breaks off anywhere, or is answered in parts, is gone on with behind the last checkpoint, each line once (G2)', async () => {
    for (let cut = 1; cut < WHOLE.length; cut += 97) {
      let broken = false;
      answer = (after, response) => {
        if (broken || after > 0) return void response.end(PAGES.slice(after, after + 2).join(''));
        broken = true;
        response.write(WHOLE.slice(0, cut), () => response.destroy());
      };
      await rm(to, { force: true });
      await run();
      expect(await written()).toBe(WHOLE);
    }
  });

  it('whose process died in the middle of writing goes on behind the last whole page; a whole one asks for nothing', async () => {
    await run();
    for (const [size, after] of [[WHOLE.length - 1, []], [WHOLE.length - 2, ['page-3']], [PAGES.slice(0, 2).join('').length + 5, ['page-2']], [PAGES[0]?.length ?? 0, ['page-1']], [5, ['start']]] as const) {
      await truncate(to, size);
      asked = [];
      await run();
      expect(await written()).toBe(WHOLE);
      expect(asked).toEqual(after);
    }
    asked = [];
    await run();
    expect(asked).toEqual([]);
  });

  it('waits where the API is busy, and gives up where it refuses', async () => {
    let busy = 2;
    answer = (after, response) => (busy-- > 0 ? void response.writeHead(503, { 'retry-after': '0' }).end() : sendAll(after, response));
    await run();
    expect(await written()).toBe(WHOLE);
    await rm(to);
    answer = (_, response) => void response.writeHead(403, { 'content-type': 'application/problem+json' }).end('{}');
    await expect(run()).rejects.toThrow('the API answered 403');
  });

  it.each([
    ['a line is changed', WHOLE.replace('"id":"3"', '"id":"9"'), 'another hash'],
    ['a line is missing', WHOLE.replace(user(3), ''), 'another hash'],
    ['the counts are wrong', WHOLE.replace('"user":4', '"user":5'), 'other counts'],
    ['a line is none', WHOLE.replace(user(3), 'hello\n'), 'no line of an export'],
  ])('in which %s is never taken for whole', async (_, text, message) => {
    answer = (after, response) => void response.end(after === 0 ? text : text.slice(text.indexOf(`"page-${after}"`)).replace(/^.*\n/, ''));
    await expect(run()).rejects.toThrow(message);
    expect(WHOLE.startsWith(await written())).toBe(true);
  });

  it('does not touch a file that is none', async () => {
    await writeFile(to, 'my diary\n');
    await expect(run()).rejects.toThrow('is no export');
    expect(await written()).toBe('my diary\n');
  });
});
