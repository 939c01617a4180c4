import { randomUUID } from 'node:crypto';
import type { Sql } from '../../db/client.ts';
import { claimMessages, findPages, finishMessage, type MessageJob, returnMessage } from '../../db/queries/link-previews.ts';
import type { RoomAnnouncement } from '../../protocol/announcements.ts';
import type { LinkPreview } from '../../protocol/previews.ts';
import type { Announcer } from '../room-announcer/rooms.ts';
import { Poller } from '../runtime/poller.ts';
import type { Service } from '../runtime/service.ts';
import { hashOf } from './links.ts';
import { MOST_WAIT_MS, stepOf } from './outcome.ts';

export interface TellerPorts {
  readonly sql: Sql;
  readonly announcer: Announcer;
  /** Told of every message whose room was told. */
  readonly onTold: () => void;
  readonly onError: (error: unknown) => void;
}

/** Messages that are looked at together. */
const MOST = 20;
/** Longer than a call takes. Milliseconds. */
const LEASE_MS = 30_000;
const IDLE = { first: 150, most: 1_000 };
const FAILURE = { first: 500, most: 10_000 };
/** A room that could not be told is told again, the later the longer that has been so. Milliseconds. */
const AGAIN = { part: 4, first: 1_000, most: 300_000 };

/**
 * Tells rooms what was found at the links of their messages. Any number may run: each message is leased to one. One that dies with it leaves it to another, and a room that was told passes
 * over what it is told again (G2).
 */
export function createTeller(ports: TellerPorts): Service {
  return new Poller({
    name: 'link-previews',
    idle: IDLE,
    failure: FAILURE,
    onError: ports.onError,
    step: async () => {
      const jobs = await claimMessages(ports.sql, randomUUID(), LEASE_MS, MOST);
      if (jobs.length === 0) return false;
      const pages = await findPages(ports.sql, [...new Set(jobs.flatMap(({ urls }) => urls.map(hashOf)))]);
      // Each for itself: a room that is at fault holds up no other.
      await Promise.all(jobs.map((job) => tell(ports, job, stepOf(job, pages)).catch((error: unknown) => giveBack(ports, job, error))));
      return jobs.length === MOST;
    },
  });
}

async function tell({ sql, announcer, onTold }: TellerPorts, job: MessageJob, step: ReturnType<typeof stepOf>): Promise<void> {
  if (step.tell !== null) {
    await announcer.announce([announcementOf(job, step.tell)]);
    onTold();
  }
  if (step.againInMs === null) await finishMessage(sql, job);
  else await returnMessage(sql, job, step.tell?.length ?? job.told, step.againInMs);
}

async function giveBack({ sql, onError }: TellerPorts, job: MessageJob, error: unknown): Promise<void> {
  onError(error);
  if (job.ageMs > MOST_WAIT_MS) await finishMessage(sql, job);
  else await returnMessage(sql, job, job.told, Math.min(AGAIN.most, Math.max(AGAIN.first, job.ageMs / AGAIN.part)));
}

const announcementOf = ({ channel_id, message_id, revision }: MessageJob, previews: readonly LinkPreview[]): RoomAnnouncement => ({
  to: 'room', channel_id, changes: [], revoked: [], channel: null, previews: [{ message_id, revision, previews: [...previews] }],
});
