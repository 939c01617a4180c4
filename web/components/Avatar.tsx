import { hueOf, initials } from '../state/text.ts';

const HUES = 10;

export function Avatar({ name, colourKey }: { name: string; colourKey: string }) {
  return (
    <span class={`avatar hue-${hueOf(colourKey, HUES)}`} aria-hidden="true">
      {initials(name)}
    </span>
  );
}
