import { ChannelRoom, FanoutNode } from '../../workers/index.ts';

/** About as long as an event of a short message. */
const PASS_BYTES = 420;
const ROUTE = /^\/bench\/room\/[0-9a-f-]{36}\/(pass|evict)(?:\/(\w+))?$/;

/** A room with routes for the bench, beside those of its own. */
export class BenchRoom extends ChannelRoom {
  override fetch(request: Request): Promise<Response> {
    const [, what, name = ''] = ROUTE.exec(new URL(request.url).pathname) ?? [];
    if (what === 'evict') this.ctx.abort('evicted by the bench');
    return what === 'pass' ? Promise.resolve(Response.json({ sent: this.#pass(name) })) : super.fetch(request);
  }

  /** Sends all sockets one frame and does nothing else: what a pass takes at the least. */
  #pass(name: string): number {
    const frame = `pass ${name}`.padEnd(PASS_BYTES);
    const webSockets = this.ctx.getWebSockets();
    for (const webSocket of webSockets) webSocket.send(frame);
    return webSockets.length;
  }
}

/** A node that can be evicted: `/bench/node/<channel>/<number>/evict`. */
export class BenchNode extends FanoutNode {
  override fetch(request: Request): Promise<Response> {
    if (new URL(request.url).pathname.endsWith('/evict')) this.ctx.abort('evicted by the bench');
    return super.fetch(request);
  }
}
