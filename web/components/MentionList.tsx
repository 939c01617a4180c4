import type { User } from '../../protocol/api.ts';
import type { MentionChoice } from '../state/mention-choice.ts';
import { UserOptions } from './UserOptions.tsx';

interface Props {
  readonly id: string;
  readonly choice: MentionChoice;
  readonly onTake: (user: User) => void;
}

/** Whom one may mean, over the field in which they are named. */
export function MentionList({ id, choice, onTake }: Props) {
  if (!choice.isOpen) return null;
  return <UserOptions id={id} label="People to mention" class="mention-list" users={choice.offered.value} at={choice.at.value} onTake={onTake} />;
}
