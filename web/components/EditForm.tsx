import { useSignal } from '@preact/signals';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Message } from '../../protocol/api.ts';
import { MAX_TEXT } from '../../protocol/limits.ts';
import type { ChannelStore } from '../state/channel-store.ts';
import { attempt } from '../state/notices.ts';
import { fitHeight, isPlainEnter } from './textarea.ts';

/** The text of one's own message in place: Enter saves, Escape lets it be. */
export function EditForm({ store, message }: { store: ChannelStore; message: Message }) {
  const ref = useRef<HTMLTextAreaElement>(null);
  const [text, setText] = useState(message.text);
  const isSaving = useSignal(false);
  useLayoutEffect(() => fitHeight(ref.current), [text]);
  useLayoutEffect(() => {
    ref.current?.focus();
    ref.current?.setSelectionRange(message.text.length, message.text.length);
  }, []);

  const close = () => {
    const row = ref.current?.closest<HTMLElement>('[data-message]');
    store.editing.value = null;
    row?.focus();
  };
  const save = async () => {
    const changed = text.trim();
    if (changed === '' || changed.length > MAX_TEXT) return;
    if (changed === message.text) return close();
    isSaving.value = true;
    if (await attempt('save the change', () => store.session.edit(message.id, changed))) close();
    isSaving.value = false;
  };
  const handleKey = (event: KeyboardEvent) => {
    if (event.key !== 'Escape' && !isPlainEnter(event)) return;
    event.preventDefault();
    if (event.key === 'Escape') close();
    else void save();
  };
  return (
    <div class="edit-form">
      <textarea ref={ref} rows={1} value={text} aria-label="Edit message" onInput={(event) => setText(event.currentTarget.value)} onKeyDown={handleKey} />
      <div class="button-row">
        <button type="button" class="button small primary" disabled={isSaving.value} onClick={() => void save()}>
          {isSaving.value ? 'Saving…' : 'Save'}
        </button>
        <button type="button" class="button small" onClick={close}>
          Cancel
        </button>
      </div>
    </div>
  );
}
