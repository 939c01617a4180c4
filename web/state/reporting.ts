import { signal } from '@preact/signals';
import type { Message } from '../../protocol/api.ts';
import type { ReportBody } from '../../protocol/moderation.ts';
import { notify } from './notices.ts';
import { api } from './platform.ts';

/** The message that the user is about to report. */
export const reporting = signal<Message | null>(null);

/** Reports a message, and says so. One that was reported before is not reported anew: what was said then stands. Rejects where it is refused. */
export async function report({ channel_id, id }: Message, body: ReportBody): Promise<void> {
  const { status, reason, comment } = await api.report(channel_id, id, body);
  if (status === 'resolved') notify('You have reported this message before, and it was judged.');
  else if (reason !== body.reason || comment !== body.comment) notify('You have reported this message before: that report stands.');
  else notify('The message was reported to those who moderate.');
}
