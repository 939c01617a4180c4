import type { ChannelStore } from '../state/channel-store.ts';
import { seenAs } from '../state/directs.ts';
import { displayName, pictureOf } from '../state/users.ts';
import { Avatar } from './Avatar.tsx';
import { Icon } from './Icon.tsx';

/** What a channel is, before its name: public, private, with one other, with so many, or one's own notes. */
export function ChannelSign({ store: { people, info } }: { store: ChannelStore }) {
  const [only] = people ?? [];
  if (people?.length === 1 && only !== undefined) return <Avatar name={displayName(only)} colourKey={only} picture={pictureOf(only)} presence={seenAs(only)} />;
  return (
    <span class={`channel-sign ${people === null ? '' : 'of-people'}`} aria-hidden="true">
      {sign(people, info.value.kind === 'private')}
    </span>
  );
}

function sign(people: readonly string[] | null, isPrivate: boolean) {
  if (people !== null) return people.length === 0 ? <Icon name="edit" /> : people.length;
  return isPrivate ? <Icon name="lock" /> : '#';
}
