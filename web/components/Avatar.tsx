import { useState } from 'preact/hooks';
import type { Avatar as Picture } from '../../protocol/api.ts';
import type { PresenceState } from '../../protocol/presence.ts';
import { api } from '../state/platform.ts';
import { hueOf, initials } from '../state/text.ts';

const HUES = 10;

interface Props {
  readonly name: string;
  readonly colourKey: string;
  /** In place of the initials. */
  readonly picture: Picture | null;
  /** Shown as a dot; absent: not known. */
  readonly presence?: PresenceState | undefined;
  readonly isLarge?: boolean;
}

export function Avatar({ name, colourKey, picture, presence, isLarge = false }: Props) {
  return (
    <span class={`avatar ${isLarge ? 'large' : ''} hue-${hueOf(colourKey, HUES)}`} aria-hidden="true">
      {initials(name)}
      {picture && <Shown key={picture.url} src={api.avatarUrl(picture, isLarge ? 480 : 160)} />}
      {presence && presence !== 'offline' && <span class={`presence ${presence}`} />}
    </span>
  );
}

/** It covers the initials once it is there: until then, and where it cannot be had, they stay. */
function Shown({ src }: { src: string }) {
  const [isHere, setHere] = useState(false);
  return <img class={isHere ? 'here' : ''} src={src} alt="" loading="lazy" onLoad={() => setHere(true)} />;
}
