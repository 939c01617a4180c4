import type { Sql } from '../../db/client.ts';
import { classifyPostgresError } from '../../db/errors.ts';
import { countUserBadges, wakeInbox } from '../../db/queries/badges.ts';
import {
  claimInbox, drainInbox, findInboxChannel, findInboxPlace, inboxChannels, keepForkedInbox, moveInbox, skipInboxPoison,
} from '../../db/queries/inbox-log.ts';
import { appendPresenceEvent, inboxWish } from '../../db/queries/presence.ts';
import { poisonedSeqs, storedEvents } from '../../db/queries/resume.ts';
import type { InboxRecord } from './inbox-record.ts';

/** As `PostgresBurst`. */
interface Burst {
  run<T>(work: (sql: Sql) => Promise<T>): Promise<T>;
  rest(): boolean;
}

/** Postgres as the inbox of one user uses it. */
export function inboxPostgres(burst: Burst, userId: string): InboxRecord {
  const log = { topic: 'user.events', key: userId } as const;
  return {
    readUser: () =>
      burst.run((sql) =>
        sql.begin(async (tx) => {
          const claimed = await claimInbox(tx, userId);
          return claimed && { claimed, channels: await inboxChannels(tx, userId), wish: await inboxWish(tx, userId) };
        }),
      ),
    findChannel: (channelId) => burst.run((sql) => findInboxChannel(sql, userId, channelId)),
    wake: (version) =>
      burst.run(async (sql) => {
        await wakeInbox(sql, userId, version);
        return await countUserBadges(sql, userId);
      }),
    drainBatch: (claim, ...batch) => burst.run((sql) => drainInbox(sql, { userId, ...claim }, ...batch)),
    skipPoison: (claim, event, error) => burst.run((sql) => skipInboxPoison(sql, { userId, ...claim }, event, String(error))),
    isDataFault: (error) => classifyPostgresError(error) === 'data',
    findPlace: () => burst.run((sql) => findInboxPlace(sql, userId)),
    move: (found, { epoch, fence, drainedSeq }) => burst.run((sql) => moveInbox(sql, { userId, epoch, fence }, found, drainedSeq)),
    keepForked: (epoch, events) => burst.run((sql) => keepForkedInbox(sql, userId, epoch, `[${events.map(({ json }) => json).join(',')}]`)),
    eventsBetween: (after, before, limit) => burst.run((sql) => storedEvents(sql, log, after, before, limit)),
    poisonBetween: (after, before) => burst.run((sql) => poisonedSeqs(sql, log, after, before)),
    logPresence: (event) => burst.run((sql) => appendPresenceEvent(sql, event)),
    rest: () => burst.rest(),
  };
}
