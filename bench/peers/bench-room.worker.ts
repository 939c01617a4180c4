import { closeReason } from '../../protocol/close-codes.ts';
import { ChannelRoom, FanoutNode } from '../../workers/index.ts';

/** About as long as an event of a short message. */
const PASS_BYTES = 420;
const ROUTE = /^\/bench\/(?:room\/[0-9a-f-]{36}|node\/[0-9a-f-]{36}\/\d+)\/(pass|evict|dismiss)(?:\/(\w+))?$/;

/** A room with routes for the bench, beside those of its own. */
export class BenchRoom extends ChannelRoom {
  override fetch(request: Request): Promise<Response> {
    const answer = answerBench(this.ctx, request);
    return answer === null ? super.fetch(request) : Promise.resolve(answer);
  }
}

/** A node with the same. */
export class BenchNode extends FanoutNode {
  override fetch(request: Request): Promise<Response> {
    const answer = answerBench(this.ctx, request);
    return answer === null ? super.fetch(request) : Promise.resolve(answer);
  }
}

/** `evict` ends the instance, `pass/<name>` sends all sockets one frame, `dismiss/<ms>` closes them to come back within that time. Null: no route of the bench. */
function answerBench(ctx: DurableObjectState, request: Request): Response | null {
  const [, what, argument = ''] = ROUTE.exec(new URL(request.url).pathname) ?? [];
  if (what === 'evict') ctx.abort('evicted by the bench');
  if (what === 'pass') return Response.json({ sent: pass(ctx.getWebSockets(), argument) });
  return what === 'dismiss' ? Response.json({ closed: dismiss(ctx.getWebSockets(), Number(argument)) }) : null;
}

/** Does nothing but send: what a pass takes at the least. */
function pass(webSockets: readonly WebSocket[], name: string): number {
  const frame = `pass ${name}`.padEnd(PASS_BYTES);
  for (const webSocket of webSockets) webSocket.send(frame);
  return webSockets.length;
}

/** As a room or node that has to let all of its sockets go, but within a time that the bench chooses. */
function dismiss(webSockets: readonly WebSocket[], withinMs: number): number {
  for (const webSocket of webSockets) webSocket.close(1012, closeReason('closed by the bench', withinMs));
  return webSockets.length;
}
