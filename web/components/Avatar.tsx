import type { PresenceState } from '../../protocol/presence.ts';
import { hueOf, initials } from '../state/text.ts';

const HUES = 10;

interface Props {
  readonly name: string;
  readonly colourKey: string;
  /** Shown as a dot; absent: not known. */
  readonly presence?: PresenceState | undefined;
}

export function Avatar({ name, colourKey, presence }: Props) {
  return (
    <span class={`avatar hue-${hueOf(colourKey, HUES)}`} aria-hidden="true">
      {initials(name)}
      {presence && presence !== 'offline' && <span class={`presence ${presence}`} />}
    </span>
  );
}
