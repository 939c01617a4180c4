import { randomUUID } from 'node:crypto';
import type { Sql } from '../../db/client.ts';
import { beginDigest, claimDigests, type DigestNotice, type DigestRelease, type DigestState, readDigestState, readUnmailed, releaseDigest } from '../../db/queries/email-sending.ts';
import { reasonFor } from '../notifier/rules.ts';
import { backoffDelay } from '../runtime/backoff.ts';
import { Poller } from '../runtime/poller.ts';
import type { Service } from '../runtime/service.ts';
import type { DigestMail } from './digest-mail.ts';
import { digestDueAt } from './digest-schedule.ts';
import type { NotificationSender } from './port.ts';

export type DigestOutcome = 'sent' | 'retried' | 'refused';

export interface DigestServicePorts {
  readonly sql: Sql;
  readonly sender: NotificationSender<DigestMail>;
  readonly now: () => number;
  readonly random: () => number;
  /** `cause`: of a refusal. */
  readonly onSettled: (outcome: DigestOutcome, userId: string, cause: string | null) => void;
  readonly onError: (error: unknown) => void;
}

/** Mails that a process sends at a time. */
const MOST = 8;
/** Longer than a mail may take, with what is stored before and after it. A process that dies leaves its users to others after so long, in milliseconds. */
const LEASE_MS = 120_000;
/** Between attempts of a digest. It is not given up: what is unread stays so, and no more than one digest waits. */
const RETRY = { first: 60_000, most: 3_600_000 };

/**
 * Sends digests. Any number may run: each user is leased to one at a time. A digest is named, and how far it goes, before it is sent: a process that dies between sending and storing
 * has sent what another will send again, with the same `Message-ID`, without what was read meanwhile.
 */
export function createDigestService(ports: DigestServicePorts): Service {
  const underWay = new Set<Promise<void>>();
  const ending = new AbortController();

  function start(userId: string, lease: string): void {
    const work = serve(ports, userId, lease, ending.signal).catch(ports.onError).finally(() => underWay.delete(work));
    underWay.add(work);
  }

  return new Poller({
    name: 'digest-sender',
    idle: { first: 500, most: 5_000 },
    failure: { first: 500, most: 10_000 },
    onError: ports.onError,
    step: async () => {
      if (underWay.size >= MOST) await Promise.race(underWay);
      const lease = randomUUID();
      const claimed = await claimDigests(ports.sql, { lease, leaseMs: LEASE_MS, most: MOST - underWay.size });
      for (const userId of claimed) start(userId, lease);
      return claimed.length > 0;
    },
    release: async (hard) => {
      if (hard) ending.abort();
      await Promise.all(underWay);
    },
  });
}

async function serve(ports: DigestServicePorts, userId: string, lease: string, signal: AbortSignal): Promise<void> {
  const state = await readDigestState(ports.sql, userId);
  if (state === null) return;
  const release = await digest(ports, { userId, lease, state }, signal);
  if (release !== null) await ports.sql.begin((tx) => releaseDigest(tx, userId, lease, release));
}

/** Whether a notice is still to be mailed. Quiet hours are no matter: a mail wakes nobody. */
export const isWanted = ({ is_member, is_deleted, is_read, reason, level, is_muted }: DigestNotice): boolean =>
  is_member && !is_deleted && !is_read && reasonFor({ reasons: [reason], level, is_muted }) !== null;

interface Claimed {
  readonly userId: string;
  readonly lease: string;
  readonly state: DigestState;
}

/** Null: nothing is to be said of it, for this process ends, or another has the user. */
async function digest(ports: DigestServicePorts, { userId, lease, state }: Claimed, signal: AbortSignal): Promise<DigestRelease | null> {
  const { sql, sender, now, random, onSettled } = ports;
  const found = await readUnmailed(sql, userId, state.mailed_seq, state.digest_seq);
  const seenSeq = found.at(-1)?.seq ?? state.digest_seq ?? state.mailed_seq;
  const notices = found.filter(isWanted);
  const [oldest] = notices;
  if (state.mode === 'off' || state.address === null || oldest === undefined) return { kind: 'idle', seenSeq };
  if (state.digest_id === null) {
    const at = digestDueAt(state, Date.parse(oldest.created_at));
    if (at > now()) return { kind: 'waiting', at: new Date(at) };
  }
  const [id, seq] = [state.digest_id ?? randomUUID(), state.digest_seq ?? seenSeq];
  if (state.digest_id === null && !(await beginDigest(sql, userId, { lease, digestId: id, seq }))) return null;
  const verdict = await sender.send({ id, userId, address: state.address, notices }, signal);
  if (verdict.kind === 'later') {
    if (signal.aborted) return null;
    onSettled('retried', userId, null);
    const counts = verdict.cause !== 'held';
    return { kind: 'failed', counts, afterMs: Math.max(verdict.afterMs ?? 0, counts ? backoffDelay(RETRY, state.failures + 1, random) : 0) };
  }
  onSettled(verdict.kind === 'sent' ? 'sent' : 'refused', userId, verdict.kind === 'refused' ? verdict.cause : null);
  return { kind: 'mailed', seq };
}
