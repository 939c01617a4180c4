import { z } from 'zod';
import { findMessage } from '../../../db/queries/messages.ts';
import { emojiSchema } from '../../../protocol/primitives.ts';
import { unwrap } from '../../problems.ts';
import { flagArgument, textArgument } from '../arguments.ts';
import { channelOf } from '../channel-of.ts';
import { emojiOf } from '../emoji.ts';
import { SlackError } from '../errors.ts';
import { method } from '../method.ts';
import { peopleOf } from '../people.ts';
import { readSettled } from '../../settled.ts';
import { slackMessage } from '../shapes.ts';
import { tsOf } from '../ts.ts';
import { mustFind } from './chat.ts';

const WRITE = { scope: 'messages:write', limit: 'send', words: { conflict: 'message_not_found' } } as const;
const target = { channel: textArgument, timestamp: textArgument };

/** Emoji by the name that Slack has for it; a name that Slack has not is kept as it is. */
function emojiNamed(name: string): string {
  const plain = name.replace(/^:(.+):$/, '$1');
  const emoji = emojiSchema.safeParse(emojiOf(plain) ?? plain);
  if (!emoji.success) throw new SlackError('invalid_name');
  return emoji.data;
}

const change = (type: 'react' | 'unreact', unchanged: 'already_reacted' | 'no_reaction') =>
  method({
    ...WRITE,
    args: z.object({ ...target, name: textArgument }),
    async run(call, { channel, timestamp, name }) {
      const channelId = channelOf(channel);
      const emoji = emojiNamed(name);
      await call.once(async () => {
        const { message_id } = await mustFind(call, channelId, timestamp);
        const { changed } = await call.execute(call.c, channelId, { type, message_id, emoji });
        if (!changed) throw new SlackError(unchanged);
      });
      return {};
    },
  });

const get = method({
  scope: 'messages:read',
  limit: 'read',
  args: z.object({ ...target, full: flagArgument.optional() }),
  async run(call, { channel, timestamp }) {
    const channelId = channelOf(channel);
    const { message_id, thread_id } = await mustFind(call, channelId, timestamp);
    return readSettled(call.c, channelId, async (db, credentialId) => {
      const message = unwrap(await findMessage(db, credentialId, channelId, message_id));
      const root = thread_id === null ? null : unwrap(await findMessage(db, credentialId, channelId, thread_id));
      return { type: 'message', channel: channelId, message: slackMessage(message, await peopleOf(db, [message]), root && { ts: tsOf(root), author_id: root.author_id }) };
    });
  },
});

export const reactionMethods = { 'reactions.add': change('react', 'already_reacted'), 'reactions.remove': change('unreact', 'no_reaction'), 'reactions.get': get };
