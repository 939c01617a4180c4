import type { Message } from '../../protocol/api.ts';
import { me } from '../state/account.ts';
import type { ChannelStore } from '../state/channel-store.ts';
import { attempt } from '../state/notices.ts';
import { displayName } from '../state/users.ts';

const MAX_NAMES = 10;

export function Reactions({ store, message }: { store: ChannelStore; message: Message }) {
  return (
    <div class="reactions">
      {message.reactions.map((reaction) => (
        <Reaction key={reaction.emoji} store={store} message={message} {...reaction} />
      ))}
    </div>
  );
}

function Reaction({ store, message, emoji, user_ids }: { store: ChannelStore; message: Message; emoji: string; user_ids: readonly string[] }) {
  const isMine = user_ids.includes(me.value?.id ?? '');
  const toggle = () =>
    void (isMine
      ? attempt('remove the reaction', () => store.session.unreact(message.id, emoji))
      : attempt('add the reaction', () => store.session.react(message.id, emoji)));
  const more = user_ids.length > MAX_NAMES ? ` and ${user_ids.length - MAX_NAMES} more` : '';
  return (
    <button type="button" class="reaction" aria-pressed={isMine} title={user_ids.slice(0, MAX_NAMES).map(displayName).join(', ') + more} onClick={toggle}>
      <span>{emoji}</span> <span class="reaction-count">{user_ids.length}</span>
    </button>
  );
}
