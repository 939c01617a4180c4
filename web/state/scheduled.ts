import { computed, effect, signal } from '@preact/signals';
import { ProblemError } from '../../client/errors.ts';
import type { InboxEvent } from '../../protocol/inbox-events.ts';
import type { ScheduledMessage, ScheduleBody, ScheduleFailure, ScheduleStatus } from '../../protocol/scheduled-messages.ts';
import { lookAtClock, now } from './clock.ts';
import { type Loading, load } from './loading.ts';
import { notify } from './notices.ts';
import { api } from './platform.ts';
import { reasonOf, refusalOf } from './reason.ts';
import { closePanel, isShown, openPanel } from './side-panel.ts';

/** How soon it is looked again whether what is due was sent: the inbox tells of what failed alone. */
const LOOK_AGAIN_MS = 4_000;

interface ScheduledList {
  /** In the order in which they go out. */
  readonly waiting: readonly ScheduledMessage[];
  readonly failed: readonly ScheduledMessage[];
}

const EMPTY: ScheduledList = { waiting: [], failed: [] };
export const scheduled = signal<ScheduledList>(EMPTY);
export const scheduledLoading = signal<Loading>({ name: 'idle' });
/** Readings overtake each other: the last one has the say. */
let readings = 0;

/** Its time has come: it can be changed no more, and is gone from the list soon. */
export const isDue = ({ send_at }: ScheduledMessage): boolean => Date.parse(send_at) <= now.value;
export const waitingCount = computed(() => scheduled.value.waiting.filter((message) => !isDue(message)).length);

export async function readScheduled(): Promise<void> {
  readings += 1;
  const reading = readings;
  await load(scheduledLoading, async () => {
    const [waiting, failed] = await Promise.all([allOf('pending'), allOf('failed')]);
    if (reading !== readings) return;
    lookAtClock();
    scheduled.value = { waiting, failed };
  });
}

async function allOf(status: ScheduleStatus): Promise<ScheduledMessage[]> {
  const all: ScheduledMessage[] = [];
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const page = await api.scheduledMessages({ status, limit: 100, ...(cursor && { cursor }) });
    all.push(...page.data);
    cursor = page.next_cursor;
  }
  return all;
}

export function forgetScheduled(): void {
  readings += 1;
  scheduled.value = EMPTY;
}

export function toggleScheduledPanel(): void {
  if (isShown('scheduled')) return closePanel();
  openPanel('scheduled');
  void readScheduled();
}

/** Looks again, while somebody looks and something is due. */
export function watchScheduled(): void {
  effect(() => {
    if (!isShown('scheduled') || !scheduled.value.waiting.some(isDue)) return;
    const timer = setTimeout(() => void readScheduled(), LOOK_AGAIN_MS);
    return () => clearTimeout(timer);
  });
}

const FAILURES: Readonly<Record<ScheduleFailure, string>> = {
  channel_archived: 'the channel was archived',
  not_a_member: 'you were no member of the channel any more',
  author_deactivated: 'your account was deactivated',
  thread_gone: 'what it replies to was deleted',
  refused: 'the channel did not take it',
};

/** Why it was not sent; a reason that is newer than this page is told as the plainest. */
export const failureWords = (failure: string | null): string => Object.entries(FAILURES).find(([known]) => known === failure)?.[1] ?? FAILURES.refused;

/** To be called with what the inbox tells. */
export function scheduledTold(events: readonly InboxEvent[], titleOf: (channelId: string) => string | undefined): void {
  const failed = events.filter((event) => event.type === 'scheduled_message.failed');
  for (const { channel_id, failure } of failed) notify(`A message${inChannel(titleOf(channel_id))} that you had scheduled was not sent: ${failureWords(failure)}.`);
  if (failed.length > 0) void readScheduled();
}

const inChannel = (title: string | undefined): string => (title === undefined ? '' : ` to ${title}`);

/** Rejects where it is refused. The same `key` again schedules nothing again. */
export async function schedule(channelId: string, body: ScheduleBody, key: string): Promise<void> {
  await api.schedule(channelId, body, key);
  void readScheduled();
}

const FIELDS: Readonly<Record<string, string>> = { send_at: 'The time', text: 'The text', file_ids: 'File' };

export const scheduleRefusal = (error: unknown): string => refusalOf(error, FIELDS);

/**
 * Does something with one that waits, and reads the list again. Why it was refused, to be told beside it, or null. What is not listed any more has no place of its own to be told
 * at: it was sent, or cancelled on another device.
 */
export async function handleScheduled(id: string, action: () => Promise<unknown>): Promise<string | null> {
  try {
    await action();
    void readScheduled();
    return null;
  } catch (error) {
    if (!(error instanceof ProblemError)) return reasonOf(error);
    await readScheduled();
    const { waiting, failed } = scheduled.peek();
    const problem = error.code === 'precondition_failed' ? 'It was changed elsewhere meanwhile, and not here: this is how it is now.' : scheduleRefusal(error);
    if ([...waiting, ...failed].some((message) => message.id === id)) return problem;
    notify(`It is not scheduled any more: ${problem}`);
    return null;
  }
}
