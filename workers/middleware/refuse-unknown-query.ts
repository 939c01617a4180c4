import type { FieldError } from '../../protocol/errors.ts';
import { problemResponse } from '../problems.ts';
import type { Guard } from './guard.ts';

const MOST_NAMED = 20;

/** 422 for parameters of the query that the route does not know, as for unknown fields of a body: a filter with a slip in its name is not passed over as if it were none. */
export function refuseUnknownQuery(known: readonly string[]): Guard {
  const names = new Set(known);
  return (c) => {
    if (!c.req.url.includes('?')) return null;
    const unknown = Object.keys(c.req.queries()).filter((name) => !names.has(name));
    if (unknown.length === 0) return null;
    const errors = unknown.slice(0, MOST_NAMED).map((name): FieldError => ({ pointer: `?${name.slice(0, 100)}`, detail: 'is not a parameter of this route' }));
    return problemResponse(c, { code: 'invalid', errors });
  };
}
