import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { directoryEventSchema } from './directory-events.ts';

it('every released shape of every directory event is still read, and written back unchanged', () => {
  const fixtures = z.array(z.unknown()).parse(JSON.parse(readFileSync(new URL('./fixtures/directory-events.v1.json', import.meta.url), 'utf8')));
  const events = fixtures.map((fixture) => directoryEventSchema.parse(fixture));
  expect(events).toEqual(fixtures);
  expect(new Set(events.map(({ type }) => type))).toEqual(new Set(directoryEventSchema.options.map(({ shape }) => shape.type.value)));
});
