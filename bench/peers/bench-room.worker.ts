import { ChannelRoom } from '../../workers/index.ts';

/** About as long as an event of a short message. */
const PASS_BYTES = 420;
const PASS = /^\/bench\/room\/[0-9a-f-]{36}\/pass\/(\w+)$/;

/** A room with a route for the bench, beside those of its own. */
export class BenchRoom extends ChannelRoom {
  override fetch(request: Request): Promise<Response> {
    const name = PASS.exec(new URL(request.url).pathname)?.[1];
    return name === undefined ? super.fetch(request) : Promise.resolve(Response.json({ sent: this.#pass(name) }));
  }

  /** Sends all sockets one frame and does nothing else: what a pass takes at the least. */
  #pass(name: string): number {
    const frame = `pass ${name}`.padEnd(PASS_BYTES);
    const webSockets = this.ctx.getWebSockets();
    for (const webSocket of webSockets) webSocket.send(frame);
    return webSockets.length;
  }
}
