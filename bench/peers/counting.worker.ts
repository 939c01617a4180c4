import { ChannelRoom as Room, FanoutNode as Node, MetricsHub as Hub, UserInbox as Inbox } from '../../workers/index.ts';
import worker, { ChannelRoom as BenchRoom, FanoutNode as BenchNode } from './app.worker.ts';
import { countCalls, countStorage, countTimers, readOperations } from './operations.ts';

/** The bench's Worker with all operations of its objects counted; `/bench/operations` tells them. */
countTimers();
countCalls('room', Room.prototype);
countCalls('node', Node.prototype);
countCalls('inbox', Inbox.prototype);
countCalls('hub', Hub.prototype);

export class ChannelRoom extends BenchRoom {
  constructor(ctx: DurableObjectState, env: Env) {
    countStorage('room', ctx.storage);
    super(ctx, env);
  }
}

export class FanoutNode extends BenchNode {
  constructor(ctx: DurableObjectState, env: Env) {
    countStorage('node', ctx.storage);
    super(ctx, env);
  }
}

export class UserInbox extends Inbox {
  constructor(ctx: DurableObjectState, env: Env) {
    countStorage('inbox', ctx.storage);
    super(ctx, env);
  }
}

export class MetricsHub extends Hub {
  constructor(ctx: DurableObjectState, env: Env) {
    countStorage('hub', ctx.storage);
    super(ctx, env);
  }
}

export default {
  fetch(request, env, context) {
    if (new URL(request.url).pathname === '/bench/operations') return Response.json(readOperations());
    return worker.fetch(request, env, context);
  },
} satisfies ExportedHandler<Env>;
