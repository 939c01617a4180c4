/**
 * Says again what others say in a channel, until it is told to stop.
 *
 *     COLINK_URL=http://127.0.0.1:8787 COLINK_TOKEN=colink_pat_… node client/examples/echo-bot.ts <channel id>
 *
 * Answers that could not be sent are kept in `.echo-bot/` and go out at the next start.
 */
import { ChannelSession } from '../channel-session.ts';
import { createApi } from '../http.ts';
import { randomId, systemClock } from '../ports.ts';
import { fileStore } from '../stores/file.ts';

const { COLINK_URL: baseUrl = 'http://127.0.0.1:8787', COLINK_TOKEN: token = '' } = process.env;
const [, , channelId] = process.argv;

const api = createApi({ baseUrl, token });
const { me, channels } = await api.bootstrap();
const channel = channels.find(({ id }) => id === channelId);
if (!channel) throw new Error(`@${me.handle} is not a member of the channel ${channelId ?? '(none given)'}`);

const session = new ChannelSession(
  channel,
  me.id,
  {
    api,
    // Node's own WebSocket sends no headers: it opens with a ticket, as a browser does.
    openSocket: (url, protocols) => new WebSocket(url, protocols),
    tickets: true,
    clock: systemClock,
    random: Math.random,
    store: fileStore('.echo-bot'),
    newId: randomId,
  },
  {
    connectionChanged: (state) => {
      console.log(state.name);
      if (state.name === 'closed' && state.reason !== 'stopped') process.exitCode = 1;
    },
    events: (events) => {
      for (const event of events) {
        // `loadLatest` has not been called: nothing of before the start comes this way.
        if (event.type === 'message.created' && event.actor_id !== me.id) session.send(`> ${event.text}`, event.thread_id);
      }
    },
  },
);
session.start();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => session.stop());
