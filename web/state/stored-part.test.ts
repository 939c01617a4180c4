import { beforeEach, expect, it } from 'vitest';
import { NetworkError, ProblemError } from '../../client/errors.ts';
import { StaleError, StoredPart } from './stored-part.ts';

/** A server that keeps one word, in lower case. */
let server: { version: number; word: string };
let writes: number;
let isAway: boolean;
let field: string;
let part: StoredPart<typeof server, { word: string }>;

const answer = async () => {
  if (isAway) throw new NetworkError('away');
  return { ...server };
};
const stale = () => new ProblemError({ type: 'about:blank', title: 'stale', status: 412, code: 'precondition_failed', request_id: 'r' });

beforeEach(() => {
  [server, writes, isAway, field] = [{ version: 3, word: 'tea' }, 0, false, ''];
  part = new StoredPart('Your word', {
    read: answer,
    change: async (version, { word }) => {
      await answer();
      if (version !== server.version) throw stale();
      writes += 1;
      server = { version: version + 1, word: word.toLowerCase() };
      return { ...server };
    },
    show: ({ word }) => (field = word),
    body: () => ({ word: field }),
  });
});

it('fields that say what is stored are not sent; others are, each under the version that came of the last', async () => {
  await part.read();
  expect([field, await part.save(), writes]).toEqual(['tea', false, 0]);
  field = 'COFFEE';
  expect([await part.save(), field, server, writes]).toEqual([true, 'coffee', { version: 4, word: 'coffee' }, 1]);
  expect(await part.save()).toBe(false);
  field = 'milk';
  expect([await part.save(), server]).toEqual([true, { version: 5, word: 'milk' }]);
});

it('a change that came first is not overwritten: it is told and shown, and what is said then is saved', async () => {
  await part.read();
  server = { version: 4, word: 'cocoa' };
  field = 'coffee';
  await expect(part.save()).rejects.toThrow(StaleError);
  expect([field, server, writes]).toEqual(['cocoa', { version: 4, word: 'cocoa' }, 0]);
  field = 'coffee';
  expect([await part.save(), server]).toEqual([true, { version: 5, word: 'coffee' }]);
});

it('what is refused otherwise stays in the fields, to be saved again', async () => {
  await part.read();
  field = 'coffee';
  isAway = true;
  await expect(part.save()).rejects.toThrow(NetworkError);
  isAway = false;
  expect([field, await part.save(), server]).toEqual(['coffee', true, { version: 4, word: 'coffee' }]);
});

it('a version that came of another part\'s change is taken, and what is being written stays; what came between is still told', async () => {
  await part.read();
  server = { version: 4, word: 'tea' };
  part.moved({ ...server });
  field = 'coffee';
  server = { version: 5, word: 'tea' };
  part.moved({ ...server });
  expect([field, await part.save(), server]).toEqual(['coffee', true, { version: 6, word: 'coffee' }]);
  field = 'milk';
  server = { version: 8, word: 'cocoa' };
  part.moved({ ...server });
  await expect(part.save()).rejects.toThrow(StaleError);
  expect(field).toBe('cocoa');
});
