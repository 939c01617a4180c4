import { me } from '../state/account.ts';
import type { ChannelStore } from '../state/channel-store.ts';
import { displayName } from '../state/users.ts';

/** Who is typing where one reads. The line keeps its place when nobody is. */
export function TypingLine({ store, rootId }: { store: ChannelStore; rootId: string | null }) {
  const others = store.typists.value.filter(({ user_id, thread_id }) => thread_id === rootId && user_id !== me.value?.id);
  return (
    <p class="typing" role="status">
      {inWords(others.map(({ user_id }) => displayName(user_id)))}
    </p>
  );
}

function inWords(names: readonly string[]): string {
  const [first, second] = names;
  if (first === undefined) return '';
  if (second === undefined) return `${first} is typing…`;
  return names.length === 2 ? `${first} and ${second} are typing…` : 'Several people are typing…';
}
