import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { MAX_STATUS_TEXT } from '../../protocol/limits.ts';
import { emojiName } from '../state/emoji.ts';
import type { StatusDraft } from '../state/status-draft.ts';
import { EmojiPicker } from './EmojiPicker.tsx';
import { Icon } from './Icon.tsx';
import { IconButton } from './IconButton.tsx';

/** The emoji of a status, and its text. */
export function StatusField({ draft }: { draft: StatusDraft }) {
  const ref = useRef<HTMLDivElement>(null);
  const text = useRef<HTMLInputElement>(null);
  const isPicking = useSignal(false);
  const emoji = draft.emoji.value;
  const pick = (picked: string) => {
    draft.emoji.value = picked;
    isPicking.value = false;
  };
  const clear = () => {
    draft.clear();
    text.current?.focus();
  };
  return (
    <div ref={ref} class="status-field">
      <button
        type="button"
        class="icon-button"
        title="Emoji"
        aria-label={emoji === null ? 'Emoji: none' : `Emoji: ${emojiName(emoji) ?? emoji}`}
        aria-expanded={isPicking.value}
        onClick={() => (isPicking.value = !isPicking.value)}
      >
        {emoji ?? <Icon name="smile" />}
      </button>
      <input
        ref={text}
        autofocus
        maxLength={MAX_STATUS_TEXT}
        value={draft.text.value}
        placeholder="What is your status?"
        aria-label="Status"
        autocomplete="off"
        onInput={(event) => (draft.text.value = event.currentTarget.value)}
      />
      {!draft.isEmpty && <IconButton icon="close" label="Clear status" onClick={clear} />}
      {isPicking.value && <EmojiPicker anchor={ref} onPick={pick} onClose={() => (isPicking.value = false)} />}
    </div>
  );
}
