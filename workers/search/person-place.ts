import { z } from '@hono/zod-openapi';
import type { PersonPlace } from '../../db/queries/search-people.ts';
import { decimalSchema } from '../../protocol/primitives.ts';
import { decodeCursor } from '../paging.ts';
import { ProblemError } from '../problems.ts';

const placeSchema = z.tuple([decimalSchema(0, 1), z.string().min(1)]);

/** A place in the order of people: its rank, and a handle. Throws `bad_cursor`. */
export function decodePlace(list: string, cursor: string): PersonPlace {
  const [, rank, handle] = /^(\d) (.+)$/su.exec(decodeCursor(list, cursor)) ?? [];
  const place = placeSchema.safeParse([rank, handle]);
  if (!place.success) throw new ProblemError({ code: 'bad_cursor' });
  return { rank: place.data[0], handle: place.data[1] };
}
