import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { inboxEventSchema } from './inbox-events.ts';

it('every released shape of every event of an inbox is still read, and written back unchanged', () => {
  const fixtures = z.array(z.unknown()).parse(JSON.parse(readFileSync(new URL('./fixtures/inbox-events.v1.json', import.meta.url), 'utf8')));
  const events = fixtures.map((fixture) => inboxEventSchema.parse(fixture));
  expect(events).toEqual(fixtures);
  expect(new Set(events.map(({ type }) => type))).toEqual(new Set(inboxEventSchema.options.map(({ shape }) => shape.type.value)));
});
