import type { Sql } from '../../db/client.ts';
import { classifyPostgresError } from '../../db/errors.ts';
import { drainBatch, skipPoison } from '../../db/queries/drain.ts';
import { poisonedSeqs, storedEvents } from '../../db/queries/resume.ts';
import {
  channelMembers, channelMessages, channelPins, channelPreviews, channelReactions, claimLog, type ClaimedLog, findLogPlace, findMembership, keepForkedEvents, moveLog,
} from '../../db/queries/room-bootstrap.ts';
import { findEditWindow } from '../../db/queries/workspace-settings.ts';
import { PostgresBurst } from '../log/postgres-burst.ts';
import type { RoomRecord, StoredChannel } from './room-record.ts';

/** Reading a channel of a million messages whole. */
const READ_CHANNEL_MS = 300_000;

/** Postgres as a room uses it. */
export function roomPostgres(connectionString: () => string, clock: () => number): RoomRecord {
  const burst = new PostgresBurst(connectionString, 'colink-room', clock);
  return {
    readChannel: (channelId, read) => burst.run((sql) => readChannel(sql, channelId, read), READ_CHANNEL_MS),
    findMembership: (channelId, userId) => burst.run((sql) => findMembership(sql, channelId, userId)),
    findEditWindow: () => burst.run((sql) => findEditWindow(sql)),
    drainBatch: (claim, eventsJson, tracesJson) => burst.run((sql) => drainBatch(sql, { ...claim, eventsJson, tracesJson })),
    skipPoison: (claim, { seq, json }, error) =>
      burst.run((sql) => skipPoison(sql, { ...claim, seq, eventJson: json, errorClass: 'data', errorMessage: String(error) })),
    isDataFault: (error) => classifyPostgresError(error) === 'data',
    eventsBetween: (channelId, after, before, limit) => burst.run((sql) => storedEvents(sql, { topic: 'message.events', key: channelId }, after, before, limit)),
    poisonBetween: (channelId, after, before) => burst.run((sql) => poisonedSeqs(sql, { topic: 'message.events', key: channelId }, after, before)),
    findLogPlace: (channelId) => burst.run((sql) => findLogPlace(sql, channelId)),
    moveLog: (move) => burst.run((sql) => moveLog(sql, move)),
    keepForkedEvents: (channelId, epoch, events) =>
      burst.run((sql) => keepForkedEvents(sql, channelId, epoch, `[${events.map((event) => event.json).join(',')}]`)),
    rest: () => burst.rest(),
  };
}

async function readChannel(sql: Sql, channelId: string, read: (channel: StoredChannel) => Promise<void>): Promise<ClaimedLog | null> {
  return await sql.begin(async (tx) => {
    const claimed = await claimLog(tx, channelId);
    if (claimed === null) return null;
    await read({
      members: () => channelMembers(tx, channelId),
      messages: () => channelMessages(tx, channelId),
      reactions: () => channelReactions(tx, channelId),
      pins: () => channelPins(tx, channelId),
      previews: () => channelPreviews(tx, channelId),
    });
    return claimed;
  });
}
