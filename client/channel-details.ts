import type { MyDirectChannel } from '../protocol/api.ts';
import type { ChannelDetails } from '../protocol/events.ts';

const detailsOf = ({ name, topic, purpose, archived_at, version, kind }: ChannelDetails): ChannelDetails => ({ name, topic, purpose, archived_at, version, ...(kind && { kind }) });

/** A direct channel has none, ever. */
const NONE: ChannelDetails = { name: '', topic: '', purpose: '', archived_at: null, version: 0 };
export const detailsOfEntry = (entry: ChannelDetails | MyDirectChannel): ChannelDetails => ('user_ids' in entry ? NONE : detailsOf(entry));

/** The later of two, whichever was heard of first. One that does not say of what kind the channel is leaves it as it was known. */
export const newerDetails = (known: ChannelDetails, told: ChannelDetails): ChannelDetails => (told.version > known.version ? { ...known, ...detailsOf(told) } : known);
