import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { presenceEventSchema, presenceStateSchema } from './presence.ts';

it('every released shape of presence.events is still read, and written back unchanged', () => {
  const fixtures = z.array(z.unknown()).parse(JSON.parse(readFileSync(new URL('./fixtures/presence-events.v1.json', import.meta.url), 'utf8')));
  const events = fixtures.map((fixture) => presenceEventSchema.parse(fixture));
  expect(events).toEqual(fixtures);
  expect(new Set(events.map(({ state }) => state))).toEqual(new Set(presenceStateSchema.options));
});
