import type { ComponentChildren } from 'preact';
import { useRef } from 'preact/hooks';
import type { Message } from '../../protocol/api.ts';
import { stores } from '../state/account.ts';
import { shortDay, timeOf } from '../state/dates.ts';
import { goTo } from '../state/search.ts';
import { IconButton } from './IconButton.tsx';
import { useFocusKept } from './use-focus-kept.ts';

interface Props {
  readonly message: Pick<Message, 'id' | 'channel_id' | 'thread_id'>;
  /** When it was said, or told: epoch milliseconds. */
  readonly at: number;
  /** Null: the message was deleted. */
  readonly text: string | null;
  /** Whether to say in which channel it is. */
  readonly isPlaced: boolean;
  readonly isUnread?: boolean;
  /** Takes it from the list. */
  readonly remove?: { readonly label: string; readonly run: () => void };
  /** Whose it is. */
  readonly children: ComponentChildren;
}

/** A message in a list beside the channel: leads to where it was said. */
export function Hit({ message, at, text, isPlaced, isUnread = false, remove, children }: Props) {
  const ref = useRef<HTMLLIElement>(null);
  useFocusKept(ref);
  const channel = isPlaced && stores.value.find(({ id }) => id === message.channel_id)?.title.value;
  return (
    <li ref={ref} class={`hit ${isUnread ? 'unread' : ''} ${remove ? 'removable' : ''}`}>
      <button type="button" class="hit-main" onClick={() => void goTo(message)}>
        <span class="hit-head">{children}</span>
        <span class="text" dir="auto">
          {text ?? 'The message was deleted.'}
        </span>
        <span class="hit-place">
          {channel && <bdi>{channel} · </bdi>}
          {shortDay(at)}, {timeOf(at)}
        </span>
      </button>
      {remove && <IconButton icon="close" label={remove.label} onClick={remove.run} />}
    </li>
  );
}
