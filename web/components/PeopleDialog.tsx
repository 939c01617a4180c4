import { useSignal } from '@preact/signals';
import { useId, useState } from 'preact/hooks';
import { MAX_DIRECT_USERS } from '../../protocol/limits.ts';
import type { User } from '../../protocol/api.ts';
import { me } from '../state/account.ts';
import { startDirect } from '../state/directs.ts';
import { dialog } from '../state/navigation.ts';
import { PeopleChoice } from '../state/people-choice.ts';
import { api } from '../state/platform.ts';
import { reasonOf } from '../state/reason.ts';
import { IconButton } from './IconButton.tsx';
import { FormEnd } from './FormEnd.tsx';
import { Modal } from './Modal.tsx';
import { UserOptions } from './UserOptions.tsx';

/** Whom to talk with: found by parts of name or handle, taken by Enter, and the conversation begun by Enter once more. */
export function PeopleDialog() {
  const [choice] = useState(() => new PeopleChoice(async (q) => (await api.users({ ...(q !== '' && { q }), limit: 20 })).data, MAX_DIRECT_USERS - 1));
  const problem = useSignal<string | null>(null);
  const isBusy = useSignal(false);
  const close = () => (dialog.value = null);
  const start = async (event: Event) => {
    event.preventDefault();
    const chosen = choice.chosen.peek();
    if (chosen.length === 0 || isBusy.peek()) return;
    isBusy.value = true;
    try {
      await startDirect(chosen.map(({ id }) => id));
      close();
    } catch (error) {
      problem.value = reasonOf(error);
    }
    isBusy.value = false;
  };
  return (
    <Modal title="New conversation" onClose={close}>
      <form class="form" onSubmit={(event) => void start(event)}>
        <Field choice={choice} />
        <FormEnd problem={problem} isDisabled={isBusy.value || choice.chosen.value.length === 0} action="Start" onCancel={close} />
      </form>
    </Modal>
  );
}

function Field({ choice }: { choice: PeopleChoice }) {
  const id = useId();
  const offered = choice.offered.value ?? [];
  const handleKey = (event: KeyboardEvent) => {
    if (event.isComposing) return;
    const { key } = event;
    if (key === 'ArrowDown' || key === 'ArrowUp') choice.move(key === 'ArrowDown' ? 1 : -1);
    // Enter in an empty field is for the form, once somebody is chosen.
    else if (key === 'Enter' && (choice.query.peek() !== '' || choice.chosen.peek().length === 0)) choice.take();
    else if (key === 'Backspace' && choice.query.peek() === '') return choice.remove(choice.chosen.peek().at(-1));
    else return;
    event.preventDefault();
  };
  return (
    <>
      <div class="people-field">
        {choice.chosen.value.length > 0 && (
          <ul class="people-chosen" aria-label="Chosen">
            {choice.chosen.value.map((user) => (
              <li key={user.id}>
                <bdi class="ellipsis">{user.display_name}</bdi>
                <IconButton icon="close" label={`Remove ${user.display_name}`} onClick={() => choice.remove(user)} />
              </li>
            ))}
          </ul>
        )}
        <input
          autofocus
          role="combobox"
          aria-label="People"
          aria-autocomplete="list"
          aria-expanded={offered.length > 0}
          aria-controls={id}
          aria-activedescendant={offered.length > 0 ? `${id}-${choice.at.value}` : undefined}
          autocomplete="off"
          placeholder="Name or handle"
          value={choice.query.value}
          onInput={(event) => choice.write(event.currentTarget.value)}
          onKeyDown={handleKey}
        />
      </div>
      <UserOptions id={id} label="People found" class="people-found" users={offered} at={choice.at.value} onTake={(user) => choice.take(user)} note={noteOf} />
      <p class="people-hint" role="status">
        {hint(choice)}
      </p>
    </>
  );
}

const noteOf = ({ id, handle }: User): string => (id === me.value?.id ? 'you: for notes' : `@${handle}`);

function hint({ failure, isFull, offered, query }: PeopleChoice): string {
  if (failure.value !== null) return `Nobody could be looked for: ${failure.value}`;
  if (isFull) return `A conversation is of at most ${MAX_DIRECT_USERS} people. For more, create a channel.`;
  if (offered.value === null) return 'Looking…';
  return offered.value.length === 0 && query.value !== '' ? 'Nobody else is found by that.' : '';
}
