import { type Signal } from '@preact/signals';
import { weekdayName } from '../state/dates.ts';
import { clockOf } from '../state/day-clock.ts';
import type { SettingsForm } from '../state/settings.ts';
import { Select } from './Select.tsx';

const LEVELS = [
  ['all', 'Every message'],
  ['mentions', 'What is meant for me'],
  ['none', 'Nothing'],
] as const;

/** Of what one is told, when, and by what ways. */
export function NotificationFields({ form }: { form: SettingsForm }) {
  return (
    <fieldset>
      <legend>Notifications</legend>
      <Select label="Notify me of" options={LEVELS} chosen={form.level} />
      <label>
        Keywords <span class="optional">(one a line)</span>
        <textarea class="field" dir="auto" rows={2} value={form.keywords.value} onInput={(event) => (form.keywords.value = event.currentTarget.value)} />
      </label>
      <QuietHours form={form} />
      <Digest form={form} />
    </fieldset>
  );
}

function QuietHours({ form }: { form: SettingsForm }) {
  const { weekdays, time_zone } = form.quietWhen.value;
  const days = weekdays.length === 7 ? 'Every day' : weekdays.map(weekdayName).join(', ');
  return (
    <>
      <label class="check">
        <input type="checkbox" checked={form.isQuiet.value} onChange={(event) => (form.isQuiet.value = event.currentTarget.checked)} />
        Quiet hours: nothing interrupts me
      </label>
      {form.isQuiet.value && (
        <div class="time-row">
          <Time label="From" value={form.quietFrom} />
          <Time label="To" value={form.quietTo} />
          <p class="people-hint">
            {days}, {time_zone}
          </p>
        </div>
      )}
    </>
  );
}

function Time({ label, value }: { label: string; value: Signal<string> }) {
  return (
    <label>
      {label}
      <input class="field" type="time" required value={value.value} onInput={(event) => (value.value = event.currentTarget.value)} />
    </label>
  );
}

function Digest({ form }: { form: SettingsForm }) {
  const address = form.address.value;
  if (address === null) return <p class="people-hint">No verified e-mail address of yours is known, so nothing is mailed.</p>;
  const { after_minutes, daily_hour, time_zone } = form.digestTimes.value;
  const modes = [
    ['off', 'Never'],
    ['after', `When something stays unread for ${after_minutes} minutes`],
    ['daily', `Once a day, at ${clockOf(daily_hour * 60)} (${time_zone})`],
  ] as const;
  return <Select label={`E-mail ${address}`} options={modes} chosen={form.digest} />;
}
