import { useRef, useState } from 'preact/hooks';
import type { PresenceChoice } from '../../protocol/presence.ts';
import { timeOf } from '../state/dates.ts';
import { chosen } from '../state/inbox.ts';
import { dialog } from '../state/navigation.ts';
import { attempt } from '../state/notices.ts';
import { api } from '../state/platform.ts';
import { type Lasting, PRESETS, StatusDraft } from '../state/status-draft.ts';
import { Modal } from './Modal.tsx';
import { Select } from './Select.tsx';
import { StatusField } from './StatusField.tsx';

const CHOICES: readonly (readonly [PresenceChoice, string])[] = [
  ['auto', 'Online while I am here'],
  ['away', 'Away'],
  ['dnd', 'Do not disturb'],
  ['offline', 'Seem offline'],
];
const LASTS: readonly (readonly [Exclude<Lasting, 'kept'>, string])[] = [
  ['open', 'When I take it back'],
  ['half_hour', 'In half an hour'],
  ['hour', 'In an hour'],
  ['four_hours', 'In four hours'],
  ['today', 'At the end of today'],
  ['week', 'At the end of this week'],
];

const SHORT: Partial<Record<Lasting, string>> = { half_hour: '30 minutes', hour: '1 hour', four_hours: '4 hours', today: 'today', week: 'this week' };

/** What the user is seen as, and a line of their own beside their name. */
export function StatusDialog() {
  const [draft] = useState(() => new StatusDraft(chosen(), Date.now()));
  const isSaving = useRef(false);
  const close = () => (dialog.value = null);
  const save = async (event: Event) => {
    event.preventDefault();
    if (isSaving.current) return;
    isSaving.current = true;
    if (await attempt('set your status', () => api.choosePresence(draft.body(new Date())))) close();
    isSaving.current = false;
  };
  const lasts = draft.until === null ? LASTS : [['kept', `At ${timeOf(draft.until)}, as before`] as const, ...LASTS];
  return (
    <Modal title="Your status" onClose={close}>
      <form class="form" onSubmit={(event) => void save(event)}>
        <StatusField draft={draft} />
        {draft.isEmpty ? <Presets draft={draft} /> : <Select label="Ends" options={lasts} chosen={draft.lasting} />}
        <Select label="Presence" options={CHOICES} chosen={draft.choice} />
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

function Presets({ draft }: { draft: StatusDraft }) {
  return (
    <ul class="presets" aria-label="Suggestions">
      {PRESETS.map((preset) => (
        <li key={preset.text}>
          <button type="button" onClick={() => draft.take(preset)}>
            <span aria-hidden="true">{preset.emoji}</span>
            {preset.text}
            <span class="preset-end">{SHORT[preset.lasting]}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}
