import type { RefObject } from 'preact';
import { useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { User } from '../../protocol/api.ts';
import { me } from '../state/account.ts';
import type { ChannelStore } from '../state/channel-store.ts';
import { MentionChoice } from '../state/mention-choice.ts';
import { user } from '../state/users.ts';

/** Offers the members of a channel for the mention that is being written in a field. */
export function useMentions(ref: RefObject<HTMLTextAreaElement | null>, store: ChannelStore, write: (text: string) => void) {
  const id = useId();
  const [choice] = useState(() => new MentionChoice(() => othersIn(store)));
  const caret = useRef<number | null>(null);
  useLayoutEffect(() => {
    if (caret.current === null) return;
    ref.current?.setSelectionRange(caret.current, caret.current);
    caret.current = null;
  });

  const look = () => {
    const field = ref.current;
    if (field && choice.look(field.value, field.selectionStart)) void store.members.open();
  };
  const take = (chosen: User | undefined) => {
    const field = ref.current;
    const taken = field && chosen && choice.take(chosen, field.value, field.selectionStart);
    if (!taken) return;
    caret.current = taken.caret;
    write(taken.text);
    field.focus();
  };
  /** Whether the key was meant for the offer. */
  const handleKey = ({ key, isComposing }: KeyboardEvent): boolean => {
    if (!choice.isOpen || isComposing) return false;
    if (key === 'ArrowDown' || key === 'ArrowUp') choice.move(key === 'ArrowDown' ? 1 : -1);
    else if (key === 'Escape') choice.decline();
    else if (key === 'Tab' || (key === 'Enter' && !choice.isSettled)) take(choice.offered.peek()[choice.at.peek()]);
    else return false;
    return true;
  };
  const described = choice.isOpen ? { 'aria-controls': id, 'aria-activedescendant': `${id}-${choice.at.value}` } : {};
  return { id, choice, look, take, handleKey, described };
}

function othersIn(store: ChannelStore): User[] {
  return [...store.members.roles.value.keys()].filter((id) => id !== me.value?.id).flatMap((id) => user(id).value ?? []);
}
