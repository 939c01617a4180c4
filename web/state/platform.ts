import { browserConditions, pageOwner } from '../../client/browser.ts';
import type { SessionPorts } from '../../client/session-ports.ts';
import { createApi } from '../../client/http.ts';
import { randomId, systemClock } from '../../client/ports.ts';
import { indexedDbStore } from '../../client/stores/indexed-db.ts';

export const api = createApi({ baseUrl: location.origin });

export const ports: SessionPorts = {
  api,
  openSocket: (url, protocols) => new WebSocket(url, protocols),
  tickets: true,
  clock: systemClock,
  random: Math.random,
  store: indexedDbStore('colink'),
  owner: pageOwner(randomId()),
  conditions: browserConditions,
  newId: randomId,
};
