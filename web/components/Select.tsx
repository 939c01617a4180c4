import type { Signal } from '@preact/signals';

interface Props<T extends string> {
  readonly label: string;
  readonly options: readonly (readonly [value: T, shown: string])[];
  readonly chosen: Signal<T>;
}

/** One of a few. */
export function Select<T extends string>({ label, options, chosen }: Props<T>) {
  const choose = (index: number) => (chosen.value = options[index]?.[0] ?? chosen.peek());
  return (
    <label>
      {label}
      <select class="field" value={chosen.value} onChange={(event) => choose(event.currentTarget.selectedIndex)}>
        {options.map(([value, shown]) => (
          <option key={value} value={value}>
            {shown}
          </option>
        ))}
      </select>
    </label>
  );
}
