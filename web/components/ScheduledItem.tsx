import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import type { ScheduledMessage, SchedulePatch } from '../../protocol/scheduled-messages.ts';
import { stores } from '../state/account.ts';
import { dayLabel, timeOf } from '../state/dates.ts';
import { api } from '../state/platform.ts';
import { failureWords, handleScheduled, isDue } from '../state/scheduled.ts';
import { ScheduledForm } from './ScheduledForm.tsx';
import { useFocusKept } from './use-focus-kept.ts';

/** A message that is to be sent later, or was not sent; with what can be done about it. */
export function ScheduledItem({ message }: { message: ScheduledMessage }) {
  const ref = useRef<HTMLLIElement>(null);
  const isChanging = useSignal(false);
  const isBusy = useSignal(false);
  const problem = useSignal<string | null>(null);
  const { id, version, send_at, status, failure, thread_id, file_ids } = message;
  const isWaiting = status === 'pending';
  useFocusKept(ref);
  const handle = async (action: () => Promise<unknown>): Promise<void> => {
    if (isBusy.peek()) return;
    isBusy.value = true;
    problem.value = null;
    problem.value = await handleScheduled(id, action);
    isBusy.value = false;
  };
  const press = (action: () => Promise<unknown>) => {
    // Its button goes, and would take the focus with it.
    ref.current?.focus();
    void handle(action);
  };
  const change = async (patch: SchedulePatch) => {
    if (Object.keys(patch).length > 0) await handle(() => api.changeScheduled(id, version, patch));
    if (problem.peek() === null) endChange();
  };
  const endChange = () => {
    isChanging.value = false;
    problem.value = null;
    ref.current?.focus();
  };
  const at = Date.parse(send_at);
  const title = stores.value.find((store) => store.id === message.channel_id)?.title.value ?? 'a channel that you have left';
  return (
    <li ref={ref} class="scheduled" tabIndex={-1} aria-busy={isBusy.value}>
      <p class="scheduled-head">
        <strong>
          {dayLabel(at)}, {timeOf(at)}
        </strong>
        <bdi class="hit-place">
          {thread_id !== null && 'in a thread of '}
          {title}
        </bdi>
      </p>
      {isChanging.value && isWaiting ? (
        <ScheduledForm key={version} message={message} problem={problem} isBusy={isBusy.value} save={(patch) => void change(patch)} onCancel={endChange} />
      ) : (
        <>
          <p class="scheduled-text" dir="auto">
            {message.text}
          </p>
          {file_ids.length > 0 && <p class="topic">{file_ids.length === 1 ? 'With a file' : `With ${file_ids.length} files`}</p>}
          {!isWaiting && <p class="form-problem">Not sent: {failureWords(failure)}.</p>}
          {problem.value !== null && (
            <p class="form-problem" role="alert">
              {problem.value}
            </p>
          )}
          {isWaiting && isDue(message) ? (
            <p class="topic" role="status">
              Being sent…
            </p>
          ) : (
            <div class="button-row">
              {isWaiting && <Button label="Change" isBusy={isBusy.value} press={() => (isChanging.value = true)} />}
              {isWaiting && <Button label="Send now" isBusy={isBusy.value} press={() => press(() => api.sendScheduledNow(id))} />}
              <Button label={isWaiting ? 'Cancel sending' : 'Remove'} isBusy={isBusy.value} press={() => press(() => api.cancelScheduled(id))} />
            </div>
          )}
        </>
      )}
    </li>
  );
}

function Button({ label, isBusy, press }: { label: string; isBusy: boolean; press: () => void }) {
  return (
    <button type="button" class="button small" disabled={isBusy} onClick={press}>
      {label}
    </button>
  );
}
