import type { User } from '../../protocol/api.ts';
import { Avatar } from './Avatar.tsx';

interface Props {
  /** That of the list; its options are `<id>-0` and so on, by which the field names the one it is at. */
  readonly id: string;
  readonly label: string;
  readonly class: string;
  readonly users: readonly User[];
  readonly at: number;
  readonly onTake: (user: User) => void;
  readonly note?: (user: User) => string;
}

const handleOf = ({ handle }: User): string => `@${handle}`;

/** People to choose from, below or over a field that keeps the focus. */
export function UserOptions({ id, label, class: extra, users, at, onTake, note = handleOf }: Props) {
  return (
    <ul class={`user-options ${extra}`} role="listbox" id={id} aria-label={label} onMouseDown={(event) => event.preventDefault()}>
      {users.map((user, i) => (
        <li key={user.id} role="option" id={`${id}-${i}`} aria-selected={i === at} onClick={() => onTake(user)}>
          <Avatar name={user.display_name} colourKey={user.id} picture={user.avatar} />
          <bdi class="ellipsis">{user.display_name}</bdi>
          <span class="user-note ellipsis">{note(user)}</span>
        </li>
      ))}
    </ul>
  );
}
