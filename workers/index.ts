import { createApp } from './app.ts';
import type { Env } from './env.ts';
import { createServices } from './services.ts';

export { ChannelRoom } from '../durable-objects/channel-room/channel-room.ts';
export { FanoutNode } from '../durable-objects/fanout-node/fanout-node.ts';
export { MetricsHub } from '../durable-objects/metrics-hub/metrics-hub.ts';
export { UserInbox } from '../durable-objects/user-inbox/user-inbox.ts';

const app = createApp(createServices());

export default { fetch: (request, env, ctx) => app.fetch(request, env, ctx) } satisfies ExportedHandler<Env>;
