import { createApi } from '../../client/http.ts';
import { type KeyValueStore, memoryStore, randomId, systemClock } from '../../client/ports.ts';
import type { SessionPorts } from '../../client/channel-session.ts';

/** `localStorage`, which may be full or forbidden: then what it would keep lives as long as the page. */
function browserStore(): KeyValueStore {
  const fallback = memoryStore();
  return {
    entries(prefix) {
      const kept = attempt(() => Object.entries({ ...localStorage })) ?? [];
      return [...kept, ...fallback.entries(prefix)].filter(([key]) => key.startsWith(prefix));
    },
    set: (key, value) => void (attempt(() => [localStorage.setItem(key, value)]) ?? fallback.set(key, value)),
    remove(key) {
      attempt(() => localStorage.removeItem(key));
      fallback.remove(key);
    },
  };
}

function attempt<T>(use: () => T): T | null {
  try {
    return use();
  } catch {
    return null;
  }
}

export const api = createApi({ baseUrl: location.origin });

export const ports: SessionPorts = {
  api,
  openSocket: (url, protocols) => new WebSocket(url, protocols),
  tickets: true,
  clock: systemClock,
  random: Math.random,
  store: browserStore(),
  newId: randomId,
};
