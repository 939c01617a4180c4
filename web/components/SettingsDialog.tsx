import { type Signal, useSignal } from '@preact/signals';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { MAX_DISPLAY_NAME, MAX_PRONOUNS, MAX_TITLE } from '../../protocol/limits.ts';
import { type Loading, load } from '../state/loading.ts';
import { dialog } from '../state/navigation.ts';
import { refusalInWords, SettingsForm } from '../state/settings.ts';
import { AppearanceFields } from './AppearanceFields.tsx';
import { FormEnd } from './FormEnd.tsx';
import { Modal } from './Modal.tsx';
import { NotificationFields } from './NotificationFields.tsx';
import { PictureField } from './PictureField.tsx';
import { SessionList } from './SessionList.tsx';
import { ZoneSelect } from './ZoneSelect.tsx';

const close = (): void => void (dialog.value = null);

/** Who one is to others, of what one is told, how Colink looks, and where one is signed in. */
export function SettingsDialog() {
  const [form] = useState(() => new SettingsForm());
  const loading = useSignal<Loading>({ name: 'loading' });
  const read = () => void load(loading, () => form.read());
  useEffect(read, []);
  const { value: state } = loading;
  return (
    <Modal title="Settings" onClose={close}>
      {state.name === 'loading' && <div class="spinner" role="status" aria-label="Loading" />}
      {state.name === 'failed' && (
        <div class="hint" role="alert">
          <p>{state.reason}</p>
          <button type="button" class="button more" onClick={read}>
            Try again
          </button>
        </div>
      )}
      {state.name === 'idle' && <Fields form={form} />}
      <SessionList />
    </Modal>
  );
}

function Fields({ form }: { form: SettingsForm }) {
  const problem = useSignal<string | null>(null);
  const isSaving = useSignal(false);
  const save = async (event: Event) => {
    event.preventDefault();
    if (isSaving.peek()) return;
    isSaving.value = true;
    problem.value = null;
    await form.save().then(close, (error: unknown) => (problem.value = refusalInWords(error)));
    isSaving.value = false;
  };
  return (
    <form class="form" aria-busy={isSaving.value} onSubmit={(event) => void save(event)}>
      <fieldset>
        <legend>Profile</legend>
        <PictureField change={form.picture} />
        <Line label="Displayed name" max={MAX_DISPLAY_NAME} value={form.name} isFirst />
        <Line label="Title" max={MAX_TITLE} value={form.title} />
        <Line label="Pronouns" max={MAX_PRONOUNS} value={form.pronouns} />
        <ZoneSelect label="Time zone" zone={form.timeZone} none="Not told (UTC)" />
      </fieldset>
      <NotificationFields form={form} />
      <AppearanceFields form={form} />
      <FormEnd problem={problem} isDisabled={isSaving.value} action="Save" onCancel={close} />
    </form>
  );
}

/** The first one takes the focus, and may not be empty. */
function Line({ label, max, value, isFirst = false }: { label: string; max: number; value: Signal<string>; isFirst?: boolean }) {
  const ref = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => (isFirst ? ref.current?.focus() : undefined), []);
  return (
    <label>
      {label}
      <input
        ref={ref}
        class="field"
        dir="auto"
        required={isFirst}
        maxLength={max}
        value={value.value}
        autocomplete="off"
        onInput={(event) => (value.value = event.currentTarget.value)}
      />
    </label>
  );
}
