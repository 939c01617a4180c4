/**
 * Shows what is unread, as it changes; with `--read`, reads it all.
 *
 *     COLINK_URL=http://127.0.0.1:8787 COLINK_TOKEN=colink_pat_… node client/examples/unread.ts [--read]
 */
import { createApi } from '../http.ts';
import { InboxSession, inboxCursorOf } from '../inbox-session.ts';
import type { InboxState } from '../inbox-state.ts';
import { systemClock } from '../ports.ts';

const { COLINK_URL: baseUrl = 'http://127.0.0.1:8787', COLINK_TOKEN: token = '' } = process.env;
const readsAll = process.argv.includes('--read');

const api = createApi({ baseUrl, token });
const bootstrap = await api.bootstrap();
const names = new Map(bootstrap.channels.map(({ id, name }) => [id, name]));

const inbox = new InboxSession(
  { api, openSocket: (url, protocols) => new WebSocket(url, protocols), tickets: true, clock: systemClock, random: Math.random },
  { stateChanged: show, events: (events) => events.forEach(({ type }) => console.log(type)) },
  inboxCursorOf(bootstrap),
);
inbox.start();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => inbox.stop());

function show({ badges }: InboxState): void {
  for (const { channel_id, last_pos, unread, mentions } of badges.values()) {
    if (unread === 0) continue;
    console.log(`#${names.get(channel_id) ?? channel_id}: ${unread} unread, ${mentions} of them for you`);
    if (readsAll) inbox.markRead(channel_id, last_pos).catch((error: unknown) => console.error(error));
  }
}
