import { findChannelByName } from '../../db/queries/channel-names.ts';
import { MAX_CHANNEL_NAME } from '../../protocol/limits.ts';
import { idSchema, storableString } from '../../protocol/primitives.ts';
import { unwrap } from '../problems.ts';
import { SlackError } from './errors.ts';
import type { Call } from './method.ts';

/** A channel by its id. Whether there is one, and who may know of it, is for whoever is asked next. */
export function channelOf(argument: string): string {
  if (!idSchema.safeParse(argument).success) throw new SlackError('channel_not_found');
  return argument;
}

/** The same, or by its name, with or without `#`. */
export async function channelNamed(call: Call, argument: string): Promise<string> {
  if (idSchema.safeParse(argument).success) return argument;
  const name = storableString(MAX_CHANNEL_NAME).safeParse(argument.replace(/^#/, ''));
  if (!name.success) throw new SlackError('channel_not_found');
  return unwrap(await call.read((db, credentialId) => findChannelByName(db, credentialId, name.data)));
}
