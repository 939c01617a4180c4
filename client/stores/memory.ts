import type { KeyValueStore } from '../ports.ts';

/** Keeps what it is given as long as the program runs. */
export function memoryStore(): KeyValueStore {
  const values = new Map<string, string>();
  return {
    entries: async (prefix) => [...values].filter(([key]) => key.startsWith(prefix)),
    set: async (key, value) => void values.set(key, value),
    remove: async (key) => void values.delete(key),
  };
}
