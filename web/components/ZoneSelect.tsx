import type { Signal } from '@preact/signals';
import { Select } from './Select.tsx';

interface Props {
  readonly label: string;
  readonly zone: Signal<string>;
  /** What the empty one is called, where none may be chosen. */
  readonly none?: string;
}

const ZONES: readonly string[] = Intl.supportedValuesOf('timeZone');

/** A time zone of those that the browser knows, or the one that was chosen elsewhere. */
export function ZoneSelect({ label, zone, none }: Props) {
  const zones = [...new Set(['UTC', ...ZONES, ...(zone.value === '' ? [] : [zone.value])])].toSorted();
  return <Select label={label} options={[...(none === undefined ? [] : [['', none] as const]), ...zones.map((name) => [name, name.replaceAll('_', ' ')] as const)]} chosen={zone} />;
}
