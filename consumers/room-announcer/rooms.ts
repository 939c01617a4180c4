import { announceAnswersSchema, type Announcement, type AnnounceAnswer, MAX_ANNOUNCEMENTS } from '../../protocol/announcements.ts';
import { tellByWorker, type TellingRoute, type WorkerAddress } from '../worker-calls.ts';

/** Rooms and inboxes, as the fleet reaches them. */
export interface Announcer {
  /**
   * Tells all of them. A channel that is gone hears nothing, and holds up nobody.
   * @throws as `Tell` does.
   */
  announce(announcements: readonly Announcement[]): Promise<void>;
}

const ROUTE: TellingRoute<Announcement, AnnounceAnswer> = {
  path: '/internal/announcements',
  most: MAX_ANNOUNCEMENTS,
  answers: announceAnswersSchema,
  what: 'a room or an inbox',
  whose: (announcement) => (announcement.to === 'room' ? announcement.channel_id : announcement.user_id),
};

/** By calls to the Worker, each of many rooms and inboxes. `clock` in epoch milliseconds. */
export function workerAnnouncer(worker: WorkerAddress, clock: () => number): Announcer {
  const tell = tellByWorker(worker, ROUTE, clock);
  return {
    async announce(announcements) {
      await tell(announcements);
    },
  };
}
