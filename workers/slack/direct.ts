import { z } from 'zod';
import type { Transaction } from '../../db/client.ts';
import { type DirectMember, openDirectChannel, type OpenedChannel } from '../../db/queries/direct-channels.ts';
import { type DirectChannel, directChannelSchema } from '../../protocol/api.ts';
import { tellMembers } from '../direct-channels.ts';
import { writeDirectory } from '../directory.ts';
import { inTransaction } from '../postgres.ts';
import { unwrap } from '../problems.ts';
import { traceparentOf } from '../traceparent.ts';
import { SlackError } from './errors.ts';
import type { Call } from './method.ts';

/** Opens the direct channel that a message is for. It is the message that bears the key: there is one channel of each set, so a repetition finds it. Throws as `openDirectOnce` does. */
export async function openDirect(call: Call, userIds: readonly string[]): Promise<DirectChannel> {
  const { channel, members } = await inTransaction(call.c, (tx) => open(call, tx, userIds, true));
  await tellMembers(call.c, channel.id, members);
  return channel;
}

const OPENED = { body: z.strictObject({ channel: directChannelSchema, was_open: z.boolean() }), statuses: [200] as const };

/**
 * Opens the direct channel of the caller and these users, and tells the members of a new one. A repetition under its Idempotency-Key opens nothing that was closed since.
 * `create` false: throws `channel_not_found` where there is none. Throws `user_not_found` for whom the caller cannot begin to talk to.
 */
export async function openDirectOnce(call: Call, userIds: readonly string[], create: boolean): Promise<z.infer<typeof OPENED.body>> {
  let members: readonly DirectMember[] = [];
  const { body } = await writeDirectory(call.c, OPENED, async (tx) => {
    const opened = await open(call, tx, userIds, create);
    ({ members } = opened);
    return { ok: { status: 200, body: { channel: opened.channel, was_open: opened.was_open } } };
  });
  await tellMembers(call.c, body.channel.id, members);
  return body;
}

/** Throws within the transaction, so that nothing is left of what it has made. */
async function open(call: Call, tx: Transaction, userIds: readonly string[], create: boolean): Promise<OpenedChannel> {
  const outcome = await openDirectChannel(tx, { credentialId: call.credentialId, userIds, now: new Date(), traceparent: traceparentOf(call.c.req.raw.headers) });
  if ('problem' in outcome && outcome.problem.code === 'invalid') {
    const messages = (outcome.problem.errors ?? []).map(({ pointer, detail }) => `[ERROR] ${pointer}: ${detail}`);
    throw new SlackError('user_not_found', { response_metadata: { messages } });
  }
  const opened = unwrap(outcome);
  if (!create && opened.members.length > 0) throw new SlackError('channel_not_found');
  return opened;
}
