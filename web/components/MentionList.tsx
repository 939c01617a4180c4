import type { User } from '../../protocol/api.ts';
import type { MentionChoice } from '../state/mention-choice.ts';
import { Avatar } from './Avatar.tsx';

interface Props {
  readonly id: string;
  readonly choice: MentionChoice;
  readonly onTake: (user: User) => void;
}

/** Whom one may mean, over the field that keeps the focus; that names the option by its id. */
export function MentionList({ id, choice, onTake }: Props) {
  if (!choice.isOpen) return null;
  const take = (event: Event, user: User) => {
    event.preventDefault();
    onTake(user);
  };
  return (
    <ul class="mention-list" role="listbox" id={id} aria-label="People to mention">
      {choice.offered.value.map((user, i) => (
        <li key={user.id} role="option" id={`${id}-${i}`} aria-selected={i === choice.at.value} onPointerDown={(event) => take(event, user)}>
          <Avatar name={user.display_name} colourKey={user.id} />
          <span class="ellipsis">{user.display_name}</span>
          <span class="mention-handle">@{user.handle}</span>
        </li>
      ))}
    </ul>
  );
}
