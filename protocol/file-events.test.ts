import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { fileEventSchema } from './file-events.ts';
import { fileNameSchema, mediaTypeSchema } from './files.ts';

it('every released shape of every file event is still read, and written back unchanged', () => {
  const fixtures = z.array(z.unknown()).parse(JSON.parse(readFileSync(new URL('./fixtures/file-events.v1.json', import.meta.url), 'utf8')));
  const events = fixtures.map((fixture) => fileEventSchema.parse(fixture));
  expect(events).toEqual(fixtures);
  expect(new Set(events.map(({ type }) => type))).toEqual(new Set(fileEventSchema.options.map(({ shape }) => shape.type.value)));
});

it.each(['a/b', 'a\\b', '..', '.', ' a', 'a ', '', 'a\u0000', 'a\nb', 'invoice\u202Efdp.exe', 'x'.repeat(256), '\ud800'])('no file is named %j', (name) => {
  expect(fileNameSchema.safeParse(name).success).toBe(false);
});

it.each(['notes.txt', '東京 👋.png', 'a', '.env', 'x'.repeat(255)])('a file may be named %j', (name) => {
  expect(fileNameSchema.parse(name)).toBe(name);
});

it('a media type is in lower case and has no parameters', () => {
  expect(mediaTypeSchema.parse('application/vnd.ms-excel')).toBe('application/vnd.ms-excel');
  for (const type of ['text/plain; charset=utf-8', 'Text/Plain', 'text', '/', 'text/', 'text/a b']) expect(mediaTypeSchema.safeParse(type).success).toBe(false);
});
