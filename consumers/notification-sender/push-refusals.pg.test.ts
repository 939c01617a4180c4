import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Sql } from '../../db/client.ts';
import { eventually } from '../../tests/support/event-log.ts';
import type { Person } from '../../tests/support/notified-bed.ts';
import { PushServiceBed } from '../../tests/support/push-service-bed.ts';
import type { StoredRoom } from '../../tests/support/stored-room.ts';

let bed: PushServiceBed;
let sql: Sql;
let ben: Person;
let room: StoredRoom;

beforeEach(async () => {
  bed = await PushServiceBed.open();
  ({ sql, ben, room } = bed.people);
});
afterEach(() => bed.close());

describe('nobody is told', () => {
  const expectNothing = async (): Promise<void> => {
    bed.start();
    await eventually(bed.isSettled);
    expect([bed.server.received, await bed.rows()]).toEqual([[], ['dropped']]);
  };

  it('the text of a message that was deleted meanwhile', async () => {
    const { sent } = await bed.notify('a secret');
    await room.delete(sent);
    await expectNothing();
  });

  it('what they have read meanwhile: in its channel', async () => {
    await bed.notify();
    await sql`INSERT INTO read_states (user_id, channel_id, read_pos, updated_at) VALUES (${ben.id}, ${room.id}, ${room.pos}, now())`;
    await expectNothing();
  });

  it('what they have read meanwhile: in the list of notifications', async () => {
    await bed.notify();
    await sql`UPDATE inbox_logs SET notices_read_seq = ${bed.people.seq} WHERE user_id = ${ben.id}`;
    await expectNothing();
  });

  it('of a channel that they have left', async () => {
    await bed.notify();
    await sql`DELETE FROM members WHERE user_id = ${ben.id}`;
    await expectNothing();
  });

  it('of a notice of their quiet hours', async () => {
    await bed.notify('hello', { quiet: true });
    await expectNothing();
  });

  it('in their quiet hours, of what came before them', async () => {
    await sql`INSERT INTO notification_settings (user_id, quiet_start, quiet_end, quiet_zone, quiet_weekdays) VALUES (${ben.id}, 60, 120, 'UTC', 127)`;
    bed.clock = () => Date.UTC(2026, 10, 27, 1, 30);
    await bed.notify();
    await expectNothing();
  });

  it.each([
    ['all', 'muted', 'thread_reply'], ['mentions', 'not muted', 'all'], ['none', 'not muted', 'mention'],
  ] as const)('at the level %s, %s meanwhile, of a notice because of %s', async (level, muted, reason) => {
    await bed.notify('hello', { reason });
    await sql`
      INSERT INTO channel_notification_settings (channel_id, user_id, level, muted_until) VALUES (${room.id}, ${ben.id}, ${level}, ${muted === 'muted' ? 'infinity' : null}::timestamptz)`;
    await expectNothing();
  });

  it('but of a mention in a muted channel, and outside of quiet hours', async () => {
    await sql`INSERT INTO notification_settings (user_id, quiet_start, quiet_end, quiet_zone, quiet_weekdays) VALUES (${ben.id}, 60, 120, 'UTC', 127)`;
    await sql`INSERT INTO channel_notification_settings (channel_id, user_id, muted_until) VALUES (${room.id}, ${ben.id}, 'infinity')`;
    bed.clock = () => Date.UTC(2026, 10, 27, 2, 30);
    await bed.notify();
    bed.start();
    await eventually(bed.isSettled);
    expect(bed.texts()).toEqual(['hello @ben']);
  });

  it.each(['revoked', 'expired', 'deactivated'] as const)('in a browser whose session has ended (%s): it is forgotten (G5)', async (how) => {
    await bed.notify();
    if (how === 'revoked') await sql`UPDATE credentials SET revoked_at = now() WHERE id = ${ben.credentialId}`;
    else if (how === 'expired') await sql`UPDATE credentials SET expires_at = now() WHERE id = ${ben.credentialId}`;
    else await sql`UPDATE users SET deactivated_at = now() WHERE id = ${ben.id}`;
    bed.start();
    await eventually(() => bed.ended.length === 1);
    expect([bed.server.received, bed.ended, await bed.rows(), await bed.state()]).toEqual([[], ['ended'], [], undefined]);
  });
});
