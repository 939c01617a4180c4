import { openDirectChannel, type OpenedChannel } from '../../db/queries/direct-channels.ts';
import { tellMembers } from '../direct-channels.ts';
import { inTransaction } from '../postgres.ts';
import { unwrap } from '../problems.ts';
import { traceparentOf } from '../traceparent.ts';
import { SlackError } from './errors.ts';
import type { Call } from './method.ts';

/**
 * Opens the direct channel of the caller and these users, and tells the members of a new one. There is one of each set, so a repetition finds it and needs no key.
 * `create` false: throws `channel_not_found` where there is none. Throws `user_not_found` for whom the caller cannot begin to talk to.
 */
export async function openDirect(call: Call, userIds: readonly string[], { create }: { readonly create: boolean } = { create: true }): Promise<OpenedChannel> {
  const request = { credentialId: call.credentialId, userIds, now: new Date(), traceparent: traceparentOf(call.c.req.raw.headers) };
  const opened = await inTransaction(call.c, async (tx) => {
    const outcome = await openDirectChannel(tx, request);
    if ('problem' in outcome && outcome.problem.code === 'invalid') {
      const messages = (outcome.problem.errors ?? []).map(({ pointer, detail }) => `[ERROR] ${pointer}: ${detail}`);
      throw new SlackError('user_not_found', { response_metadata: { messages } });
    }
    const found = unwrap(outcome);
    // Thrown within the transaction, so that nothing is left of what it has made.
    if (!create && found.members.length > 0) throw new SlackError('channel_not_found');
    return found;
  });
  await tellMembers(call.c, opened.channel.id, opened.members);
  return opened;
}
