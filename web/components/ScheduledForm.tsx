import { type ReadonlySignal, useSignal } from '@preact/signals';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { MAX_TEXT } from '../../protocol/limits.ts';
import type { ScheduledMessage, SchedulePatch } from '../../protocol/scheduled-messages.ts';
import { ZONE } from '../state/dates.ts';
import { fieldBounds, localFieldOf, momentOf } from '../state/send-times.ts';
import { FormEnd } from './FormEnd.tsx';

interface Props {
  readonly message: ScheduledMessage;
  readonly problem: ReadonlySignal<string | null>;
  readonly isBusy: boolean;
  /** With what differs; nothing may. */
  readonly save: (patch: SchedulePatch) => void;
  readonly onCancel: () => void;
}

/** Text and time of a message that waits. */
export function ScheduledForm({ message, problem, isBusy, save, onCancel }: Props) {
  const ref = useRef<HTMLTextAreaElement>(null);
  const [before] = useState(() => localFieldOf(new Date(message.send_at)));
  const [{ min, max }] = useState(() => fieldBounds(new Date()));
  const text = useSignal(message.text);
  const field = useSignal(before);
  useLayoutEffect(() => ref.current?.focus(), []);
  const submit = (event: Event) => {
    event.preventDefault();
    const [words, at] = [text.peek().trim(), field.peek() === before ? null : momentOf(field.peek())];
    save({ ...(words !== message.text && { text: words }), ...(at && { send_at: at.toISOString() }) });
  };
  const handleKey = (event: KeyboardEvent) => {
    if (event.key !== 'Escape') return;
    event.preventDefault();
    onCancel();
  };
  return (
    <form class="form" onSubmit={submit} onKeyDown={handleKey}>
      <label>
        Text
        <textarea ref={ref} class="field" dir="auto" rows={3} required maxLength={MAX_TEXT} value={text.value} onInput={(event) => (text.value = event.currentTarget.value)} />
      </label>
      <label>
        At <span class="optional">({ZONE})</span>
        {/* What is about to go out may be before the first time that could be chosen, and stays as it is. */}
        <input class="field" type="datetime-local" required min={before < min ? before : min} max={max} value={field.value} onInput={(event) => (field.value = event.currentTarget.value)} />
      </label>
      <FormEnd problem={problem} isDisabled={isBusy} action="Save" onCancel={onCancel} />
    </form>
  );
}
