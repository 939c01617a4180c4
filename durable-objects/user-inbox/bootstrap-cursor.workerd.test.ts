import { expect, it, vi } from 'vitest';
import { seededRandom, integer } from '../../client/testing/random.ts';
import { bootstrapSchema, type Bootstrap } from '../../protocol/api.ts';
import type { InboxEvent } from '../../protocol/inbox-events.ts';
import { seedOfRun } from '../../tests/support/seed.ts';
import { bodyOf, newCaller, newChannel, send, type Caller } from '../../workers/api-fixture.ts';
import { bearer, eventsOf, INBOX_SOCKET, openSocket, type ApiSocket } from '../../workers/socket-fixture.ts';

const bootstrapOf = async (caller: Caller): Promise<Bootstrap> => bodyOf(await caller.call('GET', '/v1/bootstrap'), 200, bootstrapSchema);

/** What a client holds of its channels: how far each is read. */
const stateOf = ({ channels }: Bootstrap): Map<string, number> => new Map(channels.map(({ id, read_pos }) => [id, read_pos]));

/** A channel that is new to the client is read anew, as its name is. */
function apply(state: Map<string, number>, event: InboxEvent, readAnew: (channelId: string) => number): void {
  if (event.type === 'channel.left') state.delete(event.channel_id);
  else if (event.type === 'channel.joined') state.set(event.channel_id, state.get(event.channel_id) ?? readAnew(event.channel_id));
  else if (event.type === 'read.moved' && state.has(event.channel_id)) state.set(event.channel_id, Math.max(event.read_pos, state.get(event.channel_id) ?? 0));
}

const since = ({ inbox }: Bootstrap): string => `${INBOX_SOCKET}?epoch=${inbox.epoch}&since=${inbox.as_of_seq}`;
const inboxEvents = (socket: ApiSocket): InboxEvent[] => eventsOf(socket) as InboxEvent[];

const seed = seedOfRun();

it(`a bootstrap taken at any moment, and the events after its inbox cursor, are the fresh state (seed ${seed}) (G4)`, async () => {
  const random = seededRandom(seed);
  const [owner, caller] = [await newCaller(), await newCaller()];
  const channels = await Promise.all([1, 2, 3].map(() => newChannel(owner)));
  for (const { id } of channels) await Promise.all(Array.from({ length: 30 }, (_, n) => send(owner, id, `message ${n}`)));
  const join = (id: string) => owner.call('POST', `/v1/channels/${id}/members`, { user_id: caller.user.id });
  const leave = (id: string) => caller.call('DELETE', `/v1/channels/${id}/members/${caller.user.id}`);
  const change = async (): Promise<void> => {
    const id = channels[integer(random, 3)]?.id ?? '';
    const dice = random();
    if (dice < 0.6) await caller.call('PUT', `/v1/channels/${id}/read-state`, { read_pos: 1 + integer(random, 40) });
    else if (dice < 0.8) await join(id);
    else await leave(id);
  };
  const early = await bootstrapOf(caller);
  expect(early.inbox).toEqual({ epoch: 1, as_of_seq: 0 });
  for (const { id } of channels) await join(id);
  const taken = [early];
  for (let n = 0; n < 30; n++) taken.push((await Promise.all([change(), bootstrapOf(caller)]))[1]);
  const live = await openSocket(since(early), bearer(caller));
  const head = live.frames[0]?.type === 'welcome' ? live.frames[0].head : 0;
  await vi.waitFor(async () => expect((await bootstrapOf(caller)).inbox.as_of_seq).toBe(head), 10_000);
  const fresh = stateOf(await bootstrapOf(caller));
  for (const bootstrap of taken) {
    const socket = await openSocket(since(bootstrap), bearer(caller));
    expect(socket.frames[0]).toMatchObject({ type: 'welcome', recovered: true, seq: bootstrap.inbox.as_of_seq });
    await vi.waitFor(() => expect(inboxEvents(socket)).toHaveLength(head - bootstrap.inbox.as_of_seq), 10_000);
    const state = stateOf(bootstrap);
    for (const event of inboxEvents(socket)) apply(state, event, (id) => fresh.get(id) ?? 0);
    expect([...state].toSorted()).toEqual([...fresh].toSorted());
    socket.close();
  }
}, 60_000);
