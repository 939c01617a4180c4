import { uuidv7 } from 'uuidv7';
import { z } from 'zod';
import { findPeople } from '../../../db/queries/names.ts';
import { findListedUser } from '../../../db/queries/user-list.ts';
import type { FoundMessage } from '../../../durable-objects/channel-room/room-api.ts';
import { clientMsgIdSchema } from '../../../protocol/primitives.ts';
import { idempotencyKey } from '../../idempotency-key.ts';
import { ProblemError } from '../../problems.ts';
import { flagArgument, structureArgument, textArgument } from '../arguments.ts';
import { textOfMessage } from '../blocks.ts';
import { channelNamed, channelOf } from '../channel-of.ts';
import { openDirect } from '../direct.ts';
import { SlackError } from '../errors.ts';
import { findByTs } from '../find-message.ts';
import { type Answer, type Call, method } from '../method.ts';
import { toMrkdwn } from '../mrkdwn.ts';
import { handlesIn } from '../mrkdwn.ts';
import { TEAM_ID } from '../shapes.ts';
import { faultOfText, translateIn } from '../text-in.ts';
import { tsOf } from '../ts.ts';

const WRITE = { scope: 'messages:write', limit: 'send' } as const;
const content = { text: textArgument.optional(), blocks: structureArgument.optional(), attachments: structureArgument.optional() };

/** What a message is to say. */
async function textIn(call: Call, message: Readonly<Record<string, unknown>>): Promise<string> {
  const text = await translateIn(call.c, textOfMessage(message));
  const fault = faultOfText(text);
  if (fault !== null) throw new SlackError(fault);
  return text;
}

/** The same text as it will be read. */
async function textOut(call: Call, text: string): Promise<string> {
  const handles = handlesIn(text);
  const ids = handles.length === 0 ? new Map<string, string>() : (await call.read((db) => findPeople(db, handles, []))).ids;
  return toMrkdwn(text, ids);
}

/** The message that is to be changed or answered. */
export async function mustFind(call: Call, channelId: string, ts: string, missing: 'message_not_found' | 'thread_not_found' = 'message_not_found'): Promise<FoundMessage> {
  const found = await findByTs(call.c, channelId, ts);
  if (found === null || found.deleted) throw new SlackError(missing);
  return found;
}

/** The caller's own name for the message, so that sending it again sends nothing. */
function nameOfMessage(call: Call, given: string | undefined): string {
  const id = clientMsgIdSchema.safeParse(given ?? idempotencyKey(call.c.req.raw.headers) ?? uuidv7());
  if (!id.success) throw new SlackError('invalid_arguments', { response_metadata: { messages: ['[ERROR] client_msg_id must be 1 to 64 visible ASCII characters'] } });
  return id.data;
}

const postMessage = method({
  ...WRITE,
  args: z.object({ channel: textArgument, ...content, thread_ts: textArgument.optional(), reply_broadcast: flagArgument.optional(), client_msg_id: textArgument.optional() }),
  async run(call, { channel, thread_ts, reply_broadcast, client_msg_id, ...message }) {
    if (reply_broadcast) throw new SlackError('invalid_arguments', { response_metadata: { messages: ['[ERROR] reply_broadcast: a reply is in its thread alone here'] } });
    const named = await channelNamed(call, channel);
    const text = await textIn(call, message);
    const name = nameOfMessage(call, client_msg_id);
    return sendTo(call, named, async (channelId) => {
      const root = thread_ts === undefined ? null : await mustFind(call, channelId, thread_ts, 'thread_not_found');
      const thread_id = root && (root.thread_id ?? root.message_id);
      const sent = await call.execute(call.c, channelId, { type: 'send', client_msg_id: name, text, ...(thread_id !== null && { thread_id }) });
      if (!sent.changed) call.c.header('Idempotency-Replayed', 'true');
      const ts = tsOf({ id: sent.message_id, seq: sent.seq ?? 0 });
      const written = { type: 'message', user: call.identity.user.id, team: TEAM_ID, client_msg_id: name, text: await textOut(call, text), ts };
      return { channel: channelId, ts, message: { ...written, ...(thread_ts !== undefined && { thread_ts }) } };
    });
  },
});

/** To a channel of this id, or else to the user of it, in the direct channel with them. The room is asked first: to post in a channel needs no Postgres. */
async function sendTo(call: Call, id: string, send: (channelId: string) => Promise<Answer>): Promise<Answer> {
  try {
    return await send(id);
  } catch (error) {
    if (!(error instanceof ProblemError) || error.problem.code !== 'not_found') throw error;
    const found = await call.read((db, credentialId) => findListedUser(db, credentialId, id));
    if ('problem' in found) throw error;
    call.demand('channels:write');
    return send((await openDirect(call, [id])).id);
  }
}

const update = method({
  ...WRITE,
  words: { forbidden: 'cant_update_message', conflict: 'message_not_found' },
  args: z.object({ channel: textArgument, ts: textArgument, ...content }),
  async run(call, { channel, ts, ...message }) {
    const channelId = channelOf(channel);
    const text = await textIn(call, message);
    await call.once(async () => {
      const { message_id } = await mustFind(call, channelId, ts);
      await call.execute(call.c, channelId, { type: 'edit', message_id, text });
    });
    const written = await textOut(call, text);
    return { channel: channelId, ts, text: written, message: { type: 'message', user: call.identity.user.id, text: written, ts } };
  },
});

const remove = method({
  ...WRITE,
  words: { forbidden: 'cant_delete_message' },
  args: z.object({ channel: textArgument, ts: textArgument }),
  async run(call, { channel, ts }) {
    const channelId = channelOf(channel);
    await call.once(async () => {
      const { message_id } = await mustFind(call, channelId, ts);
      await call.execute(call.c, channelId, { type: 'delete', message_id });
    });
    return { channel: channelId, ts };
  },
});

const getPermalink = method({
  scope: 'messages:read',
  limit: 'read',
  args: z.object({ channel: textArgument, message_ts: textArgument }),
  async run(call, { channel, message_ts }) {
    const channelId = channelOf(channel);
    const { message_id } = await mustFind(call, channelId, message_ts);
    return { channel: channelId, permalink: new URL(`/channels/${channelId}/messages/${message_id}`, call.c.req.url).href };
  },
});

export const chatMethods = { 'chat.postMessage': postMessage, 'chat.update': update, 'chat.delete': remove, 'chat.getPermalink': getPermalink };
