import type { SettingsForm } from '../state/settings.ts';
import { Select } from './Select.tsx';

const THEMES = [
  ['system', 'As on this device'],
  ['light', 'Light'],
  ['dark', 'Dark'],
] as const;

const TIMES = [
  ['auto', 'As is usual here'],
  ['24h', '24 hours'],
  ['12h', '12 hours'],
] as const;

/** How Colink looks, on all devices. */
export function AppearanceFields({ form }: { form: SettingsForm }) {
  return (
    <fieldset>
      <legend>Appearance</legend>
      <Select label="Colours" options={THEMES} chosen={form.theme} />
      <Select label="Times of the day" options={TIMES} chosen={form.timeFormat} />
    </fieldset>
  );
}
