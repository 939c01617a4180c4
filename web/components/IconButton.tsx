import { Icon, type IconName } from './Icon.tsx';

interface Props {
  readonly icon: IconName;
  /** Said to screen readers, and shown on hover. */
  readonly label: string;
  readonly class?: string;
  readonly expanded?: boolean;
  readonly onClick: () => void;
}

export function IconButton({ icon, label, class: extra = '', expanded, onClick }: Props) {
  return (
    <button type="button" class={`icon-button ${extra}`} aria-label={label} title={label} aria-expanded={expanded} onClick={onClick}>
      <Icon name={icon} />
    </button>
  );
}
