import { readText } from '../json.ts';
import type { Guard } from './guard.ts';

/** 400 for a body that is not UTF-8. Before validators, which would read it all the same. */
export function requireUtf8(): Guard {
  return async (c) => {
    await readText(c);
    return null;
  };
}
