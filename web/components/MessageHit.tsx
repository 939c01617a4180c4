import type { Message } from '../../protocol/api.ts';
import { stores } from '../state/account.ts';
import { shortDay, timeOf } from '../state/dates.ts';
import { saidAt } from '../state/rows.ts';
import { goTo } from '../state/search.ts';
import { displayName } from '../state/users.ts';
import { IconButton } from './IconButton.tsx';

interface Props {
  readonly message: Message;
  /** Whether to say in which channel it is. */
  readonly isPlaced: boolean;
  readonly remove: { readonly label: string; readonly run: () => void };
}

/** A message in a list beside the channel: leads to where it was said, and can be taken from the list. */
export function MessageHit({ message, isPlaced, remove }: Props) {
  const at = saidAt(message);
  const channel = isPlaced && stores.value.find(({ id }) => id === message.channel_id)?.title.value;
  return (
    <li class="hit removable">
      <button type="button" class="hit-main" onClick={() => void goTo(message)}>
        <span class="hit-head">
          <bdi class="author ellipsis">{message.origin?.author ?? displayName(message.author_id)}</bdi>
        </span>
        <span class="text" dir="auto">
          {message.deleted_at === null ? message.text : 'The message was deleted.'}
        </span>
        <span class="hit-place">
          {channel && <bdi>{channel} · </bdi>}
          {shortDay(at)}, {timeOf(at)}
        </span>
      </button>
      <IconButton icon="close" label={remove.label} onClick={remove.run} />
    </li>
  );
}
