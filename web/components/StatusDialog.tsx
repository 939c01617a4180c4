import { useSignal } from '@preact/signals';
import { currentStatus } from '../../client/presence.ts';
import { MAX_STATUS_TEXT } from '../../protocol/limits.ts';
import type { PresenceChoice } from '../../protocol/presence.ts';
import { chosen } from '../state/inbox.ts';
import { dialog } from '../state/navigation.ts';
import { attempt } from '../state/notices.ts';
import { api } from '../state/platform.ts';
import { Modal } from './Modal.tsx';

const CHOICES: readonly [PresenceChoice, string][] = [
  ['auto', 'Online while I am here'],
  ['away', 'Away'],
  ['dnd', 'Do not disturb'],
  ['offline', 'Seem offline'],
];
const LASTS: readonly [label: string, hours: number | null][] = [
  ['Until I take it back', null],
  ['For an hour', 1],
  ['For four hours', 4],
  ['For a day', 24],
];

/** What the user is seen as, and a line of their own beside their name. */
export function StatusDialog() {
  const before = chosen();
  const choice = useSignal<PresenceChoice>(before?.choice ?? 'auto');
  const text = useSignal(currentStatus(before?.status, Date.now())?.text ?? '');
  const hours = useSignal<number | null>(null);
  const close = () => (dialog.value = null);
  const save = async (event: Event) => {
    event.preventDefault();
    const expires_at = hours.value === null ? null : new Date(Date.now() + hours.value * 3_600_000).toISOString();
    const status = text.value.trim() === '' ? null : { text: text.value.trim(), emoji: before?.status?.emoji ?? null, expires_at };
    if (await attempt('set your status', () => api.choosePresence({ choice: choice.value, status }))) close();
  };
  return (
    <Modal title="Your status" onClose={close}>
      <form class="form" onSubmit={(event) => void save(event)}>
        <label>
          Presence
          <select class="field" value={choice.value} onChange={(event) => (choice.value = CHOICES[event.currentTarget.selectedIndex]?.[0] ?? 'auto')}>
            {CHOICES.map(([value, label]) => (
              <option key={value} value={value}>
                {label}
              </option>
            ))}
          </select>
        </label>
        <label>
          Status <span class="optional">(optional)</span>
          <input class="field" maxLength={MAX_STATUS_TEXT} value={text.value} placeholder="In a meeting" onInput={(event) => (text.value = event.currentTarget.value)} />
        </label>
        <label>
          How long
          <select class="field" onChange={(event) => (hours.value = LASTS[event.currentTarget.selectedIndex]?.[1] ?? null)}>
            {LASTS.map(([label]) => (
              <option key={label}>{label}</option>
            ))}
          </select>
        </label>
        <div class="button-row end">
          <button type="button" class="button" onClick={close}>
            Cancel
          </button>
          <button class="button primary">Save</button>
        </div>
      </form>
    </Modal>
  );
}
