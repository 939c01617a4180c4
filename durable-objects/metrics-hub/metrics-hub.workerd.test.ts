import { evictDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { expect, it, vi } from 'vitest';
import { inboxFixture } from '../user-inbox/inbox-fixture.ts';
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
  }, 15_000);
  await evictDurableObject(hub);
  expect(await hub.render()).toMatch(/^colink_room_events_appended_total 7$/m);
});

it('hears of presence and of inboxes', async () => {
  const hub = env.METRICS_HUB.getByName('hub');
  const { channelId, alice, bob, connect, open, written } = await inboxFixture();
  await written(3);
  const [looking, device] = [await connect(bob), await open()];
  looking.send({ type: 'watch', presence: true });
  device.send({ type: 'read', id: '1', channel_id: channelId, pos: 3 });
  device.send({ type: 'read', id: '2', channel_id: alice.user_id, pos: 3 });
  await vi.waitFor(async () => {
    const text = await hub.render();
    expect(text).toMatch(/^colink_presence_watchers 1$/m);
    expect(text).toMatch(/^colink_presence_lookups_total\{result="ok"\} 2$/m);
    expect(text).toMatch(/^colink_presence_frames_total\{kind="full"\} 1$/m);
    expect(text).toMatch(/^colink_presence_transitions_total\{to="online"\} 1$/m);
    expect(text).toMatch(/^colink_inbox_events_appended_total 1$/m);
    expect(text).toMatch(/^colink_inbox_bootstraps_total [12]$/m);
    expect(text).toMatch(/^colink_inbox_commands_refused_total\{code="not_found"\} 1$/m);
  }, 15_000);
});
