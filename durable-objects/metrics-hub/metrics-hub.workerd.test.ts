import { evictDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { expect, it, vi } from 'vitest';
import { range, roomFixture, sendOf } from '../channel-room/room-fixture.ts';

it('hears of what rooms do, and remembers it', async () => {
  const hub = env.METRICS_HUB.getByName('hub');
  const { channelId, room, alice, connect } = await roomFixture();
  await connect(alice);
  await room.executeBatch(channelId, alice, range(1, 7).map((n) => sendOf(`x ${n}`)));
  await vi.waitFor(async () => {
    const text = await hub.render();
    expect(text).toMatch(/^colink_room_events_appended_total 7$/m);
    expect(text).toMatch(/^colink_room_events_drained_total 7$/m);
    expect(text).toMatch(/^colink_room_sockets 1$/m);
    expect(text).toMatch(/^colink_room_drain_lag_seconds 0$/m);
  }, 5_000);
  await evictDurableObject(hub);
  expect(await hub.render()).toMatch(/^colink_room_events_appended_total 7$/m);
});
