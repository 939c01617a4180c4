import { type Signal } from '@preact/signals';
import { MAX_AFTER_MINUTES, MIN_AFTER_MINUTES } from '../../protocol/limits.ts';
import { weekdayName } from '../state/dates.ts';
import { clockOf } from '../state/day-clock.ts';
import type { SettingsForm } from '../state/settings.ts';
import { Select } from './Select.tsx';
import { ZoneSelect } from './ZoneSelect.tsx';

const LEVELS = [
  ['all', 'Every message'],
  ['mentions', 'What is meant for me'],
  ['none', 'Nothing'],
] as const;

const MODES = [
  ['off', 'Never'],
  ['after', 'When something stays unread for some minutes'],
  ['daily', 'Once a day'],
] as const;

const WEEK = [1, 2, 3, 4, 5, 6, 7];
const HOURS = Array.from({ length: 24 }, (_, hour) => [String(hour), clockOf(hour * 60)] as const);

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
          <Days chosen={form.quietDays} />
          <div class="wide">
            <ZoneSelect label="Time zone of quiet hours" zone={form.quietZone} />
          </div>
        </div>
      )}
    </>
  );
}

/** On which they begin. */
function Days({ chosen }: { chosen: Signal<readonly number[]> }) {
  const choose = (day: number, isChosen: boolean) => (chosen.value = WEEK.filter((one) => (one === day ? isChosen : chosen.peek().includes(one))));
  return (
    <div class="days" role="group" aria-label="Days on which quiet hours begin">
      {WEEK.map((day) => (
        <label key={day} class="check">
          <input type="checkbox" checked={chosen.value.includes(day)} onChange={(event) => choose(day, event.currentTarget.checked)} />
          {weekdayName(day)}
        </label>
      ))}
    </div>
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
  return (
    <>
      <Select label={`E-mail ${address}`} options={MODES} chosen={form.digest} />
      {form.digest.value === 'after' && (
        <label>
          Minutes
          <input
            class="field"
            type="number"
            required
            min={MIN_AFTER_MINUTES}
            max={MAX_AFTER_MINUTES}
            value={form.afterMinutes.value}
            onInput={(event) => (form.afterMinutes.value = event.currentTarget.value)}
          />
        </label>
      )}
      {form.digest.value === 'daily' && <Select label={`At (${form.timeZone.value || 'UTC'})`} options={HOURS} chosen={form.dailyHour} />}
    </>
  );
}
