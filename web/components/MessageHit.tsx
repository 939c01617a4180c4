import type { Message } from '../../protocol/api.ts';
import { saidAt } from '../state/rows.ts';
import { displayName } from '../state/users.ts';
import { Hit } from './Hit.tsx';

interface Props {
  readonly message: Message;
  readonly isPlaced: boolean;
  readonly remove: { readonly label: string; readonly run: () => void };
}

/** A message that somebody has put into a list, and can take from it. */
export function MessageHit({ message, ...props }: Props) {
  return (
    <Hit message={message} at={saidAt(message)} text={message.deleted_at === null ? message.text : null} {...props}>
      <bdi class="author ellipsis">{message.origin?.author ?? displayName(message.author_id)}</bdi>
    </Hit>
  );
}
